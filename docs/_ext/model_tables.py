"""What the page on the executable model shows: invariants, explorations and wrong models.

`invariants` comes from the model itself. `explorations` and `wrong-models` take the path of the
file that `python -m elastic_timer_spec explore --output` writes, relative to the site's source.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

from data_directives import DataFiles, add_data_directives
from elastic_timer_spec.model.invariants import INVARIANTS
from elastic_timer_spec.model.wrong import WRONG
from markdown_tables import codes, needs, table
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class Invariants(SphinxDirective):
    """Every invariant: what it says, for which requirements, and what breaks it."""

    def run(self) -> list[nodes.Node]:
        header = ("Invariant", "Stands for", "Broken by")
        rows = [
            (
                f"**{invariant.name}** ({invariant.kind})<br>{invariant.statement}",
                needs(invariant.requirements),
                codes(name for name, wrong in WRONG.items() if wrong.breaks == invariant.name),
            )
            for invariant in INVARIANTS.values()
        ]
        return self.parse_text_to_nodes(table("invariants", header, rows))


class _Explored(DataFiles):
    failure: ClassVar = KeyError

    def lines(self, paths: Sequence[Path]) -> Iterable[str]:
        for path in paths:
            yield from self.lines_of(json.loads(path.read_text("utf-8")))

    def lines_of(self, found: dict[str, Any]) -> Iterator[str]:
        """Return what one file comes to, in Markdown."""
        raise NotImplementedError


class Explorations(_Explored):
    """One row an exploration of a right model."""

    def lines_of(self, found: dict[str, Any]) -> Iterator[str]:
        header = ("Variant", "Bounds", "Length of a run", "States", "Transitions")
        yield table("explorations", header, map(self._row, found["right"]))

    @staticmethod
    def _row(entry: dict[str, Any]) -> Sequence[str]:
        bounds = [_number(entry["workers"], "worker"), _number(entry["scopes"], "scope")]
        if entry["variant"] == "queue":
            bounds.append(f"{_number(entry['unread'], 'request')} of each on the way")
        if entry["jumps"]:
            bounds.append("the wall clock jumps")
        length = f"up to {len(entry['levels'])} steps"
        if entry["complete"]:
            length = "any: there are no other states"
        numbers = (f"{number:,}" for number in entry["levels"][-1])
        return (f"`{entry['variant']}`", ", ".join(bounds), length, *numbers)


class WrongModels(_Explored):
    """The wrong models, by the invariant that they break, each with the run that shows it."""

    def lines_of(self, found: dict[str, Any]) -> Iterator[str]:
        order = list(INVARIANTS)
        entries = sorted(found["wrong"], key=lambda entry: order.index(entry["breaks"]))
        for name, members in groupby(entries, lambda entry: entry["breaks"]):
            yield f"### {name[0].upper()}{name[1:]}\n\n{INVARIANTS[name].statement}\n"
            for entry in members:
                yield from self._shown(entry)

    @staticmethod
    def _shown(entry: dict[str, Any]) -> Iterator[str]:
        made_by = ""
        if entry["made_by"]:
            servers = " and ".join(f"`{name}`" for name in entry["made_by"].split(", "))
            made_by = f" As PyTorch's {servers}."
        yield f"::::{{dropdown}} `{entry['name']}`: {entry['how']}{made_by}"
        yield from (f"1. {event}" for event in entry["run"])
        yield f"\n**Broken:** {entry['message']}.\n::::\n"


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


def setup(app: Sphinx) -> ExtensionMetadata:
    directives = {
        "invariants": Invariants,
        "explorations": Explorations,
        "wrong-models": WrongModels,
    }
    add_data_directives(app, directives)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

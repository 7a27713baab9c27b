"""The deliberately wrong backends, from the catalogue itself.

`wrong-backends` gives a table an area of the specification, and says before how many there are.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from data_directives import add_data_directives
from elastic_timer_conformance.wrong import backends
from elastic_timer_conformance.wrong.catalogue import Entry, entries, uncovered
from elastic_timer_spec import Level, load
from markdown_tables import code, needs, table
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

_HEADER = ("Requirement", "Wrong backend", "A failure says")


class WrongBackends(SphinxDirective):
    """One row a wrong backend."""

    def run(self) -> list[nodes.Node]:
        for file in Path(backends.__path__[0]).glob("*.py"):
            self.env.note_dependency(str(file))
        return self.parse_text_to_nodes("\n\n".join(_text(entries(load()))))


def _text(catalogue: Sequence[Entry]) -> Iterator[str]:
    specification = load()
    requirements = specification.requirements
    levels = [requirements[entry.breach.requirement].level for entry in catalogue]
    musts = sum(requirement.level is Level.MUST for requirement in requirements.values())
    missing = uncovered(specification, catalogue)
    yield (
        f"There are {len(catalogue)}: {levels.count(Level.MUST)} for the {musts} requirements that "
        f"a backend MUST meet, and {len(catalogue) - levels.count(Level.MUST)} for others."
    )
    if missing:
        yield f"These have none yet: {', '.join(needs([name]) for name in missing)}."
    titles = {area.id: area.title for area in specification.areas}
    for area, members in groupby(catalogue, lambda entry: requirements[entry.broken[0]].area):
        yield f"## {titles[area]}"
        yield table("wrong", _HEADER, map(_row, members))


def _row(entry: Entry) -> Sequence[str]:
    breach = entry.breach
    wrong = [code(entry.name), breach.how.replace("|", r"\|")]
    wrong += [f"Breaks {needs([other])} too: {why}" for other, why in breach.implies.items()]
    return needs([breach.requirement]), "<br>".join(wrong), code(breach.seen)


def setup(app: Sphinx) -> ExtensionMetadata:
    add_data_directives(app, {"wrong-backends": WrongBackends})
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""How many errors in the reference implementation the suite notices, from the results of a run.

`mutation-score` and `mutation-survivors` take the path of the results, relative to the site's
source, as their content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_directives import DataFiles, add_data_directives

from mutation.results import Results, load
from mutation.review import REVIEWED, ReviewError, read
from mutation.table import as_markdown, survivors_as_markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class _OfARun(DataFiles):
    failure = ReviewError

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(REVIEWED))
        return super().run()


class MutationScore(_OfARun):
    """One row a module, and what the run was."""

    def lines(self, paths: Sequence[Path]) -> Iterable[str]:
        results = load(*paths)
        yield from as_markdown(results, read())
        yield ""
        yield from _about(results)


class MutationSurvivors(_OfARun):
    """What the suite has let pass, and what that means."""

    def lines(self, paths: Sequence[Path]) -> Iterable[str]:
        return survivors_as_markdown(load(*paths), read())


def _about(results: Results) -> Iterator[str]:
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    skipped = sum(module.annotations + module.invalid for module in results.tried)
    others = ", ".join(f"`{module.name}`" for module in results.modules if not module.tried)
    yield (
        f"Measured on {results.date} with `{results.command}`, by {versions}. "
        f"{skipped} further mutants change an annotation, which nothing evaluates, or are no "
        f"Python, and were not tried. {results.controls_passed} of {results.controls} runs in "
        "between that changed nothing passed."
    )
    if others:
        yield f"Not tried, though they could be: {others}."


def setup(app: Sphinx) -> ExtensionMetadata:
    add_data_directives(
        app, {"mutation-score": MutationScore, "mutation-survivors": MutationSurvivors}
    )
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

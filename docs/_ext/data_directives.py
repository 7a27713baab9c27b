"""Directives whose content is made from data, left out where it could not be had.

The specification's data is made from a reading of these very pages: for their requirements alone,
by the builder `needs`. A directive that asks for that data then asks for what is about to be made,
and a requirement that is new, or gone, would keep the pages from being read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from docutils import nodes
    from sphinx.application import Sphinx

__all__ = ["DataFiles", "add_data_directives"]


class DataFiles(SphinxDirective):
    """Takes the paths of files, relative to the site's source, as its content."""

    has_content = True
    failure: ClassVar[type[Exception]]
    """What `lines` raises for a file that is not what it should be."""

    def run(self) -> list[nodes.Node]:
        paths = [Path(self.env.srcdir, line.strip()) for line in self.content if line.strip()]
        for path in paths:
            self.env.note_dependency(str(path))
        try:
            lines = list(self.lines(paths))
        except self.failure as error:
            raise self.error(str(error)) from None
        return self.parse_text_to_nodes("\n".join(lines))

    def lines(self, paths: Sequence[Path]) -> Iterable[str]:
        """Return what the files come to, in Markdown."""
        raise NotImplementedError


def add_data_directives(app: Sphinx, directives: Mapping[str, type[SphinxDirective]]) -> None:
    """Register directives by name; in a reading for the requirements alone each gives nothing."""

    def add(app: Sphinx) -> None:
        for name, directive in directives.items():
            wanted = _silenced(directive) if app.builder.name == "needs" else directive
            app.add_directive(name, wanted, override=True)

    app.connect("builder-inited", add)


def _silenced(directive: type[SphinxDirective]) -> type[SphinxDirective]:
    """Return a directive that takes whatever this one takes, and gives nothing."""

    class Silenced(directive):  # type: ignore[misc, valid-type]
        def run(self) -> list[nodes.Node]:
            return []

    return Silenced

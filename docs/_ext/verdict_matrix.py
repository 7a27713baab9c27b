"""The verdicts of several backends side by side, from the reports of real runs.

`verdict-matrix` takes the reports' paths, relative to the site's source, as its content.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from elastic_timer_conformance.matrix import ReportError, as_markdown, read_report
from elastic_timer_spec import load
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class VerdictMatrix(SphinxDirective):
    """One row a requirement, one column a backend."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        paths = [Path(self.env.srcdir, line.strip()) for line in self.content if line.strip()]
        for path in paths:
            self.env.note_dependency(str(path))
        try:
            lines = list(as_markdown([read_report(path) for path in paths], _link))
        except ReportError as error:
            raise self.error(str(error)) from None
        return self.parse_text_to_nodes("\n".join(lines))


def _link(requirement: str) -> str:
    # A report may be older than the specification beside it.
    known = requirement in load().requirements
    return f"{{need}}`{requirement}`" if known else f"`{requirement}`"


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_directive("verdict-matrix", VerdictMatrix)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

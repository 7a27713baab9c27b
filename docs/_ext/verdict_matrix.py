"""The verdicts of several backends side by side, from the reports of real runs.

`verdict-matrix` takes the reports' paths, relative to the site's source, as its content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_directives import DataFiles, add_data_directives
from elastic_timer_conformance.matrix import ReportError, as_markdown, read_report
from markdown_tables import need_if_known

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class VerdictMatrix(DataFiles):
    """One row a requirement, one column a backend."""

    failure = ReportError

    def lines(self, paths: Sequence[Path]) -> Iterable[str]:
        return as_markdown([read_report(path) for path in paths], need_if_known)


def setup(app: Sphinx) -> ExtensionMetadata:
    add_data_directives(app, {"verdict-matrix": VerdictMatrix})
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

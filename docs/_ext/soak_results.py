"""What came of running the suite many times, from the summaries of real soaks.

`soak-results` takes the summaries' paths, relative to the site's source, as its content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_directives import DataFiles, add_data_directives
from elastic_timer_conformance.soak.summary import SummaryError, as_markdown, read_summary
from markdown_tables import need_if_known

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class SoakResults(DataFiles):
    """One column a soak."""

    failure = SummaryError

    def lines(self, paths: Sequence[Path]) -> Iterable[str]:
        return as_markdown([read_summary(path) for path in paths], need_if_known)


def setup(app: Sphinx) -> ExtensionMetadata:
    add_data_directives(app, {"soak-results": SoakResults})
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

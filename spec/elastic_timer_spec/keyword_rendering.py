"""Write a keyword index as a page: on its own, or wrapped.

What a reader needs to find its way (titles, headings, labels) is as in the pages that are read;
the sentences are this project's own. Reading what is written here gives an equal index.
"""

from __future__ import annotations

from collections.abc import Iterable

from elastic_timer_spec.keyword_index import (
    Keyword,
    KeywordIndex,
    KeywordIndexError,
    Link,
)
from elastic_timer_spec.keyword_page import read_page

__all__ = ["render"]


def render(index: KeywordIndex) -> str:
    """Return the page of the index, wrapped if the index has facts of a wrapping page.

    Raises KeywordIndexError when a page cannot say what the index holds, as of a name with a
    backtick in it.
    """
    text = _bare(index) if index.page is None else _wrapped(index)
    if read_page(text, file=index.path) != index:
        raise KeywordIndexError("a page cannot say what this index holds", file=index.path)
    return text


def _bare(index: KeywordIndex) -> str:
    return _lines(
        f"# Keyword Index: `{index.path}`",
        "",
        "## File Information",
        "",
        f"- **Original File**: {_link(index.original_file)}",
        f"- **Documentation**: {_link(index.documentation, tick='`')}",
        f"- **Folder**: `{index.folder}`",
        "",
        "## Keywords Extracted",
        "",
        "The names that the file defines or imports, each with the page that documents it.",
        *_list("Classes", index.classes),
        *_list("Functions", index.functions),
        *_list("Imports", index.imports),
        "",
        "## Keyword → Section Map",
        "",
        "The sections of the documentation in which they are explained.",
        "",
        *(f"- **{name}**" for name in index.sections),
        "",
        "---",
        "",
    )


def _list(heading: str, keywords: Iterable[Keyword]) -> list[str]:
    entries = [f"- **`{keyword.name}`**: {_link(keyword.link)}" for keyword in keywords]
    return ["", f"### {heading}", "", *entries] if entries else []


def _wrapped(index: KeywordIndex) -> str:
    page = index.page
    assert page is not None
    bare = _bare(index)
    return _lines(
        f"# Documentation: `{page.path}`",
        "",
        "## File Metadata",
        "",
        f"- **Path**: `{page.path}`",
        # The size of what is shown here: of the index in these words, not in another's.
        f"- **Size**: {len(bare.encode()):,} bytes",
        f"- **Type**: {page.type}",
        f"- **Extension**: `{page.extension}`",
        "",
        "## Original Source",
        "",
        "```markdown",
        bare,
        "```",
        "",
        "## Related Files",
        "",
        *(f"- {_link(link, tick='`')}" for link in page.related),
        "",
        "## Cross-References",
        "",
        *(f"- **{label}**: `{target}`" for label, target in page.cross_references),
        "",
        "---",
        "",
    )


def _link(link: Link, *, tick: str = "") -> str:
    return f"[{tick}{link.text}{tick}]({link.target})"


def _lines(*lines: str) -> str:
    return "\n".join(lines)

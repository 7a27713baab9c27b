"""Draw requirements as cards.

Sphinx-needs checks requirements, exports them and links to them. What it draws is a table, which is
neither pleasant to read nor to hear from a screen reader. Its tables are replaced here by a card of
plain blocks: the id, the level and the profile; the statement; the rationale and the verification
set apart; the elements, keywords and tests. The look is in `_static/requirements.css`.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from docutils import nodes
from elastic_timer_spec.suite_source import SuiteSource, find_suite, read_suite
from sphinx_needs.api import get_needs_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

# After sphinx-needs, whose handlers run at Sphinx's default priority of 500.
_AFTER_SPHINX_NEEDS = 900

_PARTS = ("Rationale", "Verification")
_KEY_WORDS = re.compile(r"\b(MUST NOT|MUST|SHOULD NOT|SHOULD|MAY)\b")


def draw_cards(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Replace the table of every requirement in a page by its card."""
    tables = [
        table for table in doctree.findall(nodes.table) if "needs_type_req" in table["classes"]
    ]
    if not tables:
        return
    needs = get_needs_view(app)
    for table in tables:
        need = needs[table["ids"][0]]
        frame = table.parent if isinstance(table.parent, nodes.container) else table
        frame.replace_self(_card(need, _content(table)))


def _content(table: nodes.table) -> list[nodes.Node]:
    for cell in table.findall(nodes.entry):
        if "content" in cell["classes"]:
            return list(cell.children)
    return []


def _card(need: Any, content: list[nodes.Node]) -> nodes.container:
    card = nodes.container(
        classes=["requirement", f"level-{need['level'].lower()}", f"profile-{need['profile']}"],
        ids=[need["id"]],
    )
    card += _html(_header(need))
    statement, *parts = _split(content)
    for text in list(_texts(statement)):
        _mark_key_words(text)
    card += nodes.container("", *statement, classes=["requirement-statement"])
    if parts:
        card += nodes.container("", *map(_part, parts), classes=["requirement-parts"])
    card += _html(_footer(need))
    return card


def _split(content: Iterable[nodes.Node]) -> list[list[nodes.Node]]:
    """Return the statement's blocks, then those of each part that a bold word opens."""
    parts: list[list[nodes.Node]] = [[]]
    for block in content:
        if _label(block) is not None:
            parts.append([])
        parts[-1].append(block)
    return parts


def _label(block: nodes.Node) -> nodes.strong | None:
    """Return the bold word that opens a part, or None for a block that opens none."""
    if isinstance(block, nodes.paragraph):
        # The parser puts an empty text before a paragraph's leading bold word.
        first = next((child for child in block if child.astext()), None)
        if isinstance(first, nodes.strong) and first.astext().rstrip(".") in _PARTS:
            return first
    return None


def _part(blocks: list[nodes.Node]) -> nodes.container:
    opening = _label(blocks[0])
    assert opening is not None
    label = opening.astext().rstrip(".")
    paragraph = opening.parent
    paragraph.remove(opening)
    first = next((child for child in paragraph if child.astext()), None)
    if isinstance(first, nodes.Text):
        paragraph.replace(first, nodes.Text(first.lstrip()))
    return nodes.container(
        "",
        nodes.paragraph("", label, classes=["requirement-label"]),
        nodes.container("", *blocks),
        classes=["requirement-part", label.lower()],
    )


def _texts(blocks: Iterable[nodes.Node]) -> Iterator[nodes.Text]:
    for block in blocks:
        for text in block.findall(nodes.Text):
            if not isinstance(text.parent, nodes.literal | nodes.literal_block):
                yield text


def _mark_key_words(text: nodes.Text) -> None:
    pieces = _KEY_WORDS.split(text)
    if len(pieces) > 1:
        marked = [
            nodes.inline("", piece, classes=["rfc2119"]) if index % 2 else nodes.Text(piece)
            for index, piece in enumerate(pieces)
        ]
        text.parent.replace(text, marked)


def _header(need: Any) -> str:
    pills = [("level", need["level"]), ("profile", need["profile"])]
    if need["capability"]:
        pills.append(("capability", f"capability: {need['capability']}"))
    drawn = "".join(
        f'<span class="requirement-pill {kind}">{escape(text)}</span>' for kind, text in pills
    )
    link = f'<a class="requirement-id" href="#{need["id"]}">{need["id"]}</a>'
    title = escape(need["title"])
    return (
        f'<div class="requirement-head">{link}<span class="requirement-pills">{drawn}</span></div>'
        f'<div class="requirement-title" role="heading" aria-level="3">{title}</div>'
    )


def _footer(need: Any) -> str:
    tests = [test.name for test in _suite().tests if need["id"] in test.requirements]
    rows = (("Interface", need["interface"]), ("Keywords", need["keywords"]), ("Tests", tests))
    drawn = "".join(
        f'<span class="requirement-label">{name}</span>'
        f"<span>{' '.join(f'<code>{escape(value)}</code>' for value in values)}</span>"
        for name, values in rows
        if values
    )
    return f'<div class="requirement-names">{drawn}</div>' if drawn else ""


@cache
def _suite() -> SuiteSource:
    return read_suite(find_suite())


def _html(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("doctree-resolved", draw_cards, priority=_AFTER_SPHINX_NEEDS)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

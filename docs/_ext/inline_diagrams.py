"""Put Graphviz diagrams into the page itself, so that the page's style sheet reaches them.

Sphinx refers to an SVG by `<object>`, a document of its own: it keeps its black lines when the
reader chooses the dark theme. Drawn in the page, lines and letters take the page's colours
(`_static/site.css`), and a diagram needs no file beside the page.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.ext.graphviz import graphviz, render_dot

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata
    from sphinx.writers.html5 import HTML5Translator

# What dot writes for "no colour given". Fonts are measured by dot, so only their family is left
# to the style sheet.
_PRESENTATION = re.compile(r' (?:fill|stroke|font-family)="[^"]*"')
_PROLOGUE = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
_SIZE = re.compile(r'<svg width="(\d+)pt" height="(\d+)pt"')
_TITLE = re.compile(r"<title>.*?</title>\s*")
_ID = re.compile(r' id="([^"]*)"')


def inline_svg(svg: str, label: str, prefix: str) -> str:
    """Return the `<svg>` element of a dot drawing, without colours of its own.

    `label` is what a screen reader says, `prefix` makes the element ids unique in the page.
    """
    svg = _PROLOGUE.sub("", svg)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = _TITLE.sub("", svg)  # a tooltip that repeats the name of a node
    svg = _PRESENTATION.sub("", svg)
    svg = _ID.sub(lambda found: f' id="{prefix}-{found[1]}"', svg)
    return _SIZE.sub(
        lambda found: (
            f'<svg role="img" aria-label="{nodes.unescape(label)}" '
            f'style="width: {int(found[1]) * 4 // 3}px"'
        ),
        svg,
        count=1,
    )


def visit(translator: HTML5Translator, node: graphviz) -> None:
    """Write the diagram into the page."""
    _, path = render_dot(translator, node["code"], node["options"], "svg", "graphviz")
    if path is None:  # dot is missing: render_dot has warned, and the build fails on warnings
        raise nodes.SkipNode
    label = translator.attval(node.get("alt", ""))
    number = getattr(translator, "diagram_number", 0) + 1
    translator.diagram_number = number
    svg = inline_svg(Path(path).read_text("utf-8"), label, f"diagram{number}")
    translator.body.append(f'<div class="diagram">{svg}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> ExtensionMetadata:
    app.setup_extension("sphinx.ext.graphviz")
    app.add_node(graphviz, override=True, html=(visit, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

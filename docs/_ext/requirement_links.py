"""Link the requirement ids in docstrings to the requirements.

A docstring names the ids that it meets as plain words, so that it reads well in an editor too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docutils import nodes
from elastic_timer_spec import load
from sphinx import addnodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

_ID = re.compile(r"\b([A-Z]+(?:-[A-Z0-9]+)+)\b")


def link_ids(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Turn every id in a description of an object into a link."""
    requirements = load().requirements
    for content in doctree.findall(addnodes.desc_content):
        for text in list(content.findall(nodes.Text)):
            pieces = _ID.split(text)
            known = [piece for piece in pieces[1::2] if piece in requirements]
            if not known or isinstance(text.parent, nodes.reference | nodes.literal):
                continue
            replacement: list[nodes.Node] = []
            for piece in pieces:
                if piece in known:
                    page = f"specification/{requirements[piece].page}"
                    uri = app.builder.get_relative_uri(docname, page)
                    replacement.append(
                        nodes.reference(
                            "", piece, refuri=f"{uri}#{piece}", internal=True, classes=["need"]
                        )
                    )
                elif piece:
                    replacement.append(nodes.Text(piece))
            if text.parent in content.findall():  # nested descriptions are visited twice
                text.parent.replace(text, replacement)


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("doctree-resolved", link_ids)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

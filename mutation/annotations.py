"""Where a module's annotations are: nothing evaluates them, so a change there changes nothing.

That holds for modules with ``from __future__ import annotations`` (PEP 563), as all of this project
are, unless somebody asks for the types at run time, which nobody does. cosmic-ray takes the ``|``
of ``int | None`` for arithmetic outside of variables' annotations.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

__all__ = ["Span", "annotation_spans", "is_within"]

Position = tuple[int, int]
"""A line, counted from 1, and a column, counted from 0."""

Span = tuple[Position, Position]
"""From here, up to but not including there."""


def annotation_spans(source: str) -> list[Span]:
    """Return the place of every annotation; none if this module's are evaluated."""
    tree = ast.parse(source)
    if not _postpones_annotations(tree):
        return []
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in _annotations(tree)
    ]


def is_within(position: Position, spans: list[Span]) -> bool:
    """Tell whether a position is in one of these places."""
    return any(begin <= position < end for begin, end in spans)


def _postpones_annotations(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(name.name == "annotations" for name in node.names)
        for node in tree.body
    )


def _annotations(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            yield node.returns

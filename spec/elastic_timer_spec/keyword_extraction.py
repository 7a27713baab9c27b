"""Extract the keyword index of a Python file from its source, as the pages list it.

The rules, found by comparing pages with the files that they index:

- every class and every function is listed by its bare name, wherever it stands: methods, nested
  and `async` ones too;
- every import is listed by its module's name, wherever it stands, relative ones with their dots
  (`import unittest.mock as mock` gives `unittest.mock`);
- of `from module import ...`, the first imported name is listed too, by its own name and not its
  alias, if it follows `import` directly: `from m import a, b` gives `m` and `a`;
  `from m import (a, b)`, a `*` and a name on the next line give `m` alone;
- each list is sorted by code point and holds a name once.

Where the pages give no evidence, for `import a, b`, every module is listed.
"""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections.abc import Iterable, Iterator
from importlib.util import decode_source
from pathlib import Path, PurePosixPath
from typing import Final

from elastic_timer_spec.keyword_index import Keyword, KeywordIndex, KeywordIndexError, Link

__all__ = ["extract", "extract_file"]

_FIRST_NAME_FOLLOWS: Final = re.compile(r"\bimport[ \t]+\w")


def extract_file(path: Path) -> KeywordIndex:
    """Extract the index of the file at `path`, which is also what the index calls it.

    Raises KeywordIndexError when it is not Python, OSError when it cannot be read.
    """
    return extract(path.read_bytes(), path=path.as_posix())


def extract(source: bytes | str, *, path: str) -> KeywordIndex:
    """Extract the index of a file's source; `path` is the file's path in its repository.

    The links lead where the pages' links lead: to the file from a folder of the same name, and
    to the documentation beside the page. Raises KeywordIndexError when it is not Python.
    """
    tree, text, data = _parse(source, path)
    file = PurePosixPath(path)
    documentation = Link(f"{file.name}_docs.md", f"./{file.name}_docs.md")

    def listed(names: Iterable[str]) -> tuple[Keyword, ...]:
        return tuple(Keyword(name, documentation) for name in sorted(set(names)))

    nodes = list(ast.walk(tree))
    # One step up for every folder, and one more out of the folder that holds all documentation.
    up = "../" * len(file.parts)
    return KeywordIndex(
        original_file=Link(path, up + path),
        documentation=documentation,
        folder=file.parent.as_posix(),
        classes=listed(node.name for node in nodes if isinstance(node, ast.ClassDef)),
        functions=listed(
            node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ),
        imports=listed(name for node in nodes for name in _imported(node, text)),
        digest=hashlib.sha256(data).hexdigest(),
    )


def _parse(source: bytes | str, path: str) -> tuple[ast.Module, str, bytes]:
    try:
        data = source.encode() if isinstance(source, str) else source
        text = decode_source(data)
        with warnings.catch_warnings():
            # What the file's author is warned of (an invalid escape, say) is not ours to report.
            warnings.simplefilter("ignore")
            tree = ast.parse(text, filename=path)
    except SyntaxError as error:
        cause = f"is not Python: {error.msg}"
        raise KeywordIndexError(cause, file=path, line=error.lineno or 0) from None
    except (UnicodeError, ValueError, RecursionError, MemoryError) as error:
        raise KeywordIndexError(f"is not Python: {error}", file=path) from None
    return tree, text, data


def _imported(node: ast.AST, text: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield "." * node.level + (node.module or "")
        statement = ast.get_source_segment(text, node) or ""
        if _FIRST_NAME_FOLLOWS.search(statement):
            yield node.names[0].name

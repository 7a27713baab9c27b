"""The normalised form of a keyword index: a TOML file in `keywords/`.

It holds the names, paths, links and counts of an index and nobody's sentences. The same index
gives the same bytes. A keyword stands there by its name alone when its link is that of the
documentation, as nearly all are, and as a table otherwise.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from elastic_timer_spec.keyword_index import (
    Keyword,
    KeywordIndex,
    KeywordIndexError,
    Link,
    PageFacts,
    is_name,
)

__all__ = ["file_name", "from_toml", "read_keywords", "to_toml"]

_HEADER: Final = """\
# The keyword index of one file, normalised; `digest` is of the page that it was read from.
# Written by `python -m elastic_timer_spec ingest`, not by hand.
"""
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
# What a basic string may not hold as it is: control characters, the quote and the backslash.
_SPECIAL: Final = re.compile(r'["\\\x00-\x1f\x7f]')


def file_name(index: KeywordIndex) -> str:
    """Return the name of the index's file in `keywords/`: the path with dots for slashes."""
    return index.path.replace("/", ".") + ".toml"


def to_toml(index: KeywordIndex) -> str:
    """Return the index in its normalised form."""
    lines = [
        _HEADER,
        f"digest = {_string(index.digest)}",
        f"folder = {_string(index.folder)}",
        f"original_file = {_link(index.original_file)}",
        f"documentation = {_link(index.documentation)}",
        _array("sections", map(_string, index.sections)),
    ]
    for kind in ("classes", "functions", "imports"):
        keywords: tuple[Keyword, ...] = getattr(index, kind)
        lines.append(_array(kind, (_keyword(word, index.documentation) for word in keywords)))
    if page := index.page:
        references = (
            f"{{ label = {_string(label)}, target = {_string(target)} }}"
            for label, target in page.cross_references
        )
        lines += [
            "\n[page]",
            f"path = {_string(page.path)}",
            f"size = {page.size}",
            f"type = {_string(page.type)}",
            f"extension = {_string(page.extension)}",
            _array("related", map(_link, page.related)),
            _array("cross_references", references),
        ]
    return "\n".join(lines) + "\n"


def _string(text: str) -> str:
    def escaped(match: re.Match[str]) -> str:
        character = match[0]
        return _ESCAPES.get(character, f"\\u{ord(character):04x}")

    return f'"{_SPECIAL.sub(escaped, text)}"'


def _link(link: Link) -> str:
    return f"{{ text = {_string(link.text)}, target = {_string(link.target)} }}"


def _keyword(keyword: Keyword, documentation: Link) -> str:
    if keyword.link == documentation:
        return _string(keyword.name)
    return f"{{ name = {_string(keyword.name)}, link = {_link(keyword.link)} }}"


def _array(name: str, items: Iterable[str]) -> str:
    entries = "".join(f"  {item},\n" for item in items)
    return f"{name} = [\n{entries}]" if entries else f"{name} = []"


def from_toml(text: str, *, file: str = "<toml>") -> KeywordIndex:
    """Return the index that its normalised form describes; `file` is what errors call it.

    Raises KeywordIndexError when the text is no such form.
    """
    try:
        return _index(tomllib.loads(text), file)
    except (tomllib.TOMLDecodeError, UnicodeError, RecursionError) as error:
        raise KeywordIndexError(f"is not TOML: {error}", file=file) from None
    except KeyError as error:
        raise KeywordIndexError(f"lacks {error}", file=file) from None
    except (TypeError, AttributeError, ValueError) as error:
        if isinstance(error, KeywordIndexError):
            raise
        raise KeywordIndexError(f"is no keyword index: {error}", file=file) from None


def _index(document: Mapping[str, Any], file: str) -> KeywordIndex:
    documentation = _read_link(document["documentation"])
    page = document.get("page")

    def keywords(kind: str) -> tuple[Keyword, ...]:
        found = tuple(_read_keyword(entry, documentation) for entry in document[kind])
        names = [keyword.name for keyword in found]
        if names != sorted(set(names)) or not all(map(is_name, names)):
            raise KeywordIndexError(f"{kind!r} is not sorted, unique and all names", file=file)
        return found

    return KeywordIndex(
        original_file=_read_link(document["original_file"]),
        documentation=documentation,
        folder=_text(document["folder"]),
        classes=keywords("classes"),
        functions=keywords("functions"),
        imports=keywords("imports"),
        sections=tuple(map(_text, document["sections"])),
        page=None if page is None else _read_page_facts(page),
        digest=_text(document["digest"]),
    )


def _read_page_facts(table: Mapping[str, Any]) -> PageFacts:
    return PageFacts(
        path=_text(table["path"]),
        size=int(table["size"]),
        type=_text(table["type"]),
        extension=_text(table["extension"]),
        related=tuple(map(_read_link, table["related"])),
        cross_references=tuple(
            (_text(entry["label"]), _text(entry["target"])) for entry in table["cross_references"]
        ),
    )


def _read_keyword(entry: str | Mapping[str, Any], documentation: Link) -> Keyword:
    if isinstance(entry, str):
        return Keyword(entry, documentation)
    return Keyword(_text(entry["name"]), _read_link(entry["link"]))


def _read_link(table: Mapping[str, Any]) -> Link:
    return Link(_text(table["text"]), _text(table["target"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, not {value!r}")
    return value


def read_keywords(folder: Path) -> tuple[KeywordIndex, ...]:
    """Read every index of a folder such as `keywords/`, sorted by the indexed file's path.

    Raises KeywordIndexError for one that is unsound or that two files hold, OSError when the
    folder cannot be read.
    """
    indexes: dict[str, KeywordIndex] = {}
    for file in sorted(folder.glob("*.toml")):
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise KeywordIndexError(f"is not UTF-8: {error}", file=str(file)) from None
        index = from_toml(text, file=str(file))
        if index.path in indexes:
            cause = f"a second index of {index.path}"
            raise KeywordIndexError(cause, file=str(file))
        indexes[index.path] = index
    return tuple(indexes[path] for path in sorted(indexes))

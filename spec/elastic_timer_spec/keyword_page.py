"""Read a keyword index from a page: the index on its own, or a page that wraps it.

A wrapped page shows the index as a fenced Markdown block under the heading "Original Source",
and tells facts of the indexed file around it. Either is read line by line and strictly: an
entry that cannot be read is an error, never an entry less.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from elastic_timer_spec.keyword_index import (
    Keyword,
    KeywordIndex,
    KeywordIndexError,
    Link,
    PageFacts,
    is_name,
)
from elastic_timer_spec.page_text import Line, decode, fenced_block, sections, stated_sizes

__all__ = ["read_page", "read_page_file"]

INDEX_TITLE: Final = re.compile(r"# Keyword Index: `([^`]+)`")
WRAPPER_TITLE: Final = re.compile(r"# Documentation: `([^`]+)`")

_LINK: Final = re.compile(r"\[(?P<tick>`?)(?P<text>[^`]+?)(?P=tick)\]\((?P<target>\S|\S.*\S)\)")
_FIELD: Final = re.compile(r"- \*\*(?P<label>[^*`]+)\*\*(?:: (?P<value>.*))?")
_KEYWORD: Final = re.compile(r"- \*\*`(?P<name>[^`]+)`\*\*: (?P<link>.+)")
_CODE: Final = re.compile(r"`([^`]+)`")
# Fifteen digits are a petabyte, and keep clear of Python's limit on converting digits.
_SIZE: Final = re.compile(r"([0-9,]{1,15}) bytes\b.*")
# The arrow in the middle of the heading arrives garbled more often than not.
_SECTION_MAP: Final = re.compile(r"Keyword\b.*\bSection Map")

# The generator forms the plural of every kind by adding an s.
_KINDS: Final = {
    "Classs": "classes",
    "Classes": "classes",
    "Functions": "functions",
    "Imports": "imports",
}


# What a section has to tell, by its heading.
_REQUIRED: Final = {
    "File Information": ("Original File", "Documentation", "Folder"),
    "File Metadata": ("Path", "Size", "Type", "Extension"),
}


def read_page_file(path: Path) -> KeywordIndex:
    """Read the page at `path`.

    Raises KeywordIndexError when it holds no sound index, OSError when it cannot be read.
    """
    return read_page(path.read_bytes(), file=str(path))


def read_page(content: bytes | str, *, file: str = "<page>") -> KeywordIndex:
    """Read the text or the bytes of a page; `file` is what errors call it.

    Raises KeywordIndexError, and nothing else, when the content holds no sound index.
    """
    text, data = decode(content, file)
    lines = [Line(n, line) for n, line in enumerate(text.split("\n"), start=1)]
    reader = _Reader(file, crlf=b"\r\n" in data)
    title = next((line for line in lines if line.text), None)
    if title is None:
        raise KeywordIndexError("the page is empty", file=file)
    page = None
    if WRAPPER_TITLE.fullmatch(title.text):
        block = fenced_block(lines, heading="Original Source", file=file)
        page = reader.page_facts(title, lines, block)
        lines = block
    return reader.index(lines, page, digest=hashlib.sha256(data).hexdigest())


class _Reader:
    """Turns lines into the parts of an index; knows the file's name for the errors."""

    def __init__(self, file: str, *, crlf: bool) -> None:
        self._file = file
        self._crlf = crlf

    def _error(self, cause: str, line: Line | None = None) -> KeywordIndexError:
        return KeywordIndexError(cause, file=self._file, line=line.number if line else 0)

    def index(self, lines: list[Line], page: PageFacts | None, *, digest: str) -> KeywordIndex:
        """Read the index itself, and add what is already known of its page."""
        title = next((line for line in lines if line.text), None)
        match = INDEX_TITLE.fullmatch(title.text) if title else None
        if title is None or match is None:
            raise self._error("no keyword index: no title '# Keyword Index: `path`'", title)
        parts = sections(lines, level=2, file=self._file)
        information = self._fields(parts, "File Information", title)
        original = self._link(*information["Original File"])
        if original.text != match[1]:
            raise self._error(
                f"the title names {match[1]!r}, the link {original.text!r}",
                information["Original File"][0],
            )
        if "Keywords Extracted" not in parts:
            raise self._error("truncated: the section 'Keywords Extracted' is missing", title)
        lists = self._lists(parts["Keywords Extracted"])
        return KeywordIndex(
            original_file=original,
            documentation=self._link(*information["Documentation"]),
            folder=self._code(*information["Folder"]),
            classes=lists.get("classes", ()),
            functions=lists.get("functions", ()),
            imports=lists.get("imports", ()),
            sections=self._section_map(parts, lines[-1]),
            page=page,
            digest=digest,
        )

    def _fields(
        self, parts: dict[str, list[Line]], name: str, title: Line
    ) -> dict[str, tuple[Line, str]]:
        if name not in parts:
            raise self._error(f"truncated: the section {name!r} is missing", title)
        wanted = _REQUIRED[name]
        fields = self._labelled(parts[name])
        missing = [label for label in wanted if not fields.get(label, (None, ""))[1]]
        if missing:
            raise self._error(f"{name!r} does not tell: {', '.join(missing)}", parts[name][0])
        return fields

    def _labelled(self, lines: list[Line]) -> dict[str, tuple[Line, str]]:
        fields: dict[str, tuple[Line, str]] = {}
        for line in _entries(lines):
            match = _FIELD.fullmatch(line.text)
            if match is None:
                raise self._error(f"an entry that cannot be read: {line.text!r}", line)
            if match["label"] in fields:
                raise self._error(f"{match['label']!r} is there twice", line)
            fields[match["label"]] = (line, match["value"] or "")
        return fields

    def _link(self, line: Line, text: str) -> Link:
        match = _LINK.fullmatch(text)
        if match is None:
            raise self._error(f"a link that cannot be read: {text!r}", line)
        return Link(match["text"], match["target"])

    def _code(self, line: Line, text: str) -> str:
        match = _CODE.fullmatch(text)
        if match is None:
            raise self._error(f"expected `code`, not {text!r}", line)
        return match[1]

    def _lists(self, lines: list[Line]) -> dict[str, tuple[Keyword, ...]]:
        lists: dict[str, tuple[Keyword, ...]] = {}
        for heading, part in sections(lines, level=3, file=self._file).items():
            if not heading:
                if stray := next(iter(_entries(part)), None):
                    raise self._error("an entry before the first list's heading", stray)
                continue
            kind = _KINDS.get(heading)
            if kind is None:
                known = ", ".join(sorted(_KINDS))
                raise self._error(f"unknown list {heading!r}; known are {known}", part[0])
            if kind in lists:
                raise self._error(f"there are two lists of {kind}", part[0])
            lists[kind] = self._keywords(part)
        return lists

    def _keywords(self, lines: list[Line]) -> tuple[Keyword, ...]:
        keywords: dict[str, Keyword] = {}
        # Between a list's heading and the next heading there is nothing but entries.
        for line in (line for line in lines[1:] if line.text):
            match = _KEYWORD.fullmatch(line.text)
            if match is None:
                raise self._error(f"an entry that cannot be read: {line.text!r}", line)
            name = match["name"]
            if not is_name(name):
                raise self._error(f"{name!r} is not a name", line)
            if name in keywords:
                raise self._error(f"{name!r} is there twice", line)
            keywords[name] = Keyword(name, self._link(line, match["link"]))
        if not keywords:
            raise self._error(f"the list {lines[0].text!r} is empty", lines[0])
        return tuple(sorted(keywords.values(), key=lambda keyword: keyword.name))

    def _section_map(self, parts: dict[str, list[Line]], last: Line) -> tuple[str, ...]:
        part = next((part for name, part in parts.items() if _SECTION_MAP.fullmatch(name)), None)
        if part is None:
            raise self._error("truncated: the keyword to section map is missing", last)
        if not any(line.text == "---" for line in part):
            raise self._error("truncated: no rule '---' after the section map", last)
        return tuple(self._labelled(part))

    def page_facts(self, title: Line, lines: list[Line], block: list[Line]) -> PageFacts:
        """Read what the page tells around the index, whose lines are `block`."""
        around = [line for line in lines if not block[0].number <= line.number <= block[-1].number]
        parts = sections(around, level=2, file=self._file)
        metadata = self._fields(parts, "File Metadata", title)
        path = self._code(*metadata["Path"])
        if title.text != f"# Documentation: `{path}`":
            raise self._error(f"the path {path!r} is not the title's", metadata["Path"][0])
        if "Cross-References" not in parts:
            raise self._error("truncated: the section 'Cross-References' is missing", lines[-1])
        references = self._labelled(parts["Cross-References"])
        if not any(line.text == "---" for line in parts["Cross-References"]):
            raise self._error("truncated: no rule '---' after the cross references", lines[-1])
        return PageFacts(
            path=path,
            size=self._size(*metadata["Size"], block),
            type=metadata["Type"][1],
            extension=self._code(*metadata["Extension"]),
            related=tuple(
                self._link(line, line.text.removeprefix("- "))
                for line in _entries(parts.get("Related Files", []))
            ),
            cross_references=tuple(
                (label, self._code(*reference)) for label, reference in references.items()
            ),
        )

    def _size(self, line: Line, text: str, block: list[Line]) -> int:
        match = _SIZE.fullmatch(text)
        digits = match[1].replace(",", "") if match else ""
        if not digits:
            raise self._error(f"expected a size in bytes, not {text!r}", line)
        size, possible = int(digits), stated_sizes(block, crlf=self._crlf)
        # A block that lost lines, however cleanly, is caught by this alone.
        if size not in possible:
            raise self._error(
                f"the index should have {size} bytes and has {min(possible)}: "
                "it was truncated or changed",
                line,
            )
        return size


def _entries(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line.text.startswith(("-", "*", "|")) and _is_entry(line)]


def _is_entry(line: Line) -> bool:
    # A rule and a sentence in italics look like entries, and are none.
    return line.text != "---" and not re.fullmatch(r"\*[^*]+\*", line.text)

"""The text of a page as numbered lines: decoding, sections, and the fenced block within."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from elastic_timer_spec.keyword_index import KeywordIndexError

__all__ = ["Line", "decode", "fenced_block", "mended", "sections", "stated_sizes"]

_LINE_END: Final = re.compile(r"\r\n?")
_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FENCE: Final = re.compile(r"(?P<ticks>`{3,})(?P<info>[^`]*)")
_BYTE_ORDER_MARKS: Final = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end; lines are counted from 1."""

    number: int
    raw: str

    @property
    def text(self) -> str:
        """The line without blanks at its end, which mean nothing here."""
        return self.raw.rstrip(" \t")


def decode(content: bytes | str, file: str) -> tuple[str, bytes]:
    """Return the text with every line ended by a newline alone, and the bytes as they came.

    Raises KeywordIndexError when the content is not text in UTF-8.
    """
    if isinstance(content, str):
        try:
            data = content.encode()
        except UnicodeEncodeError as error:
            line = content.count("\n", 0, error.start) + 1
            raise KeywordIndexError("holds half a character", file=file, line=line) from None
    else:
        data = content
    if encoding := _BYTE_ORDER_MARKS.get(data[:2]):
        raise KeywordIndexError(f"is encoded in {encoding}, not in UTF-8", file=file, line=1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        cause = f"is not UTF-8: byte 0x{data[error.start]:02x}"
        raise KeywordIndexError(cause, file=file, line=line) from None
    text = _LINE_END.sub("\n", text)
    if control := _NOT_TEXT.search(text):
        line = text.count("\n", 0, control.start()) + 1
        cause = f"is not text: control character {control[0]!r}"
        raise KeywordIndexError(cause, file=file, line=line)
    return text, data


def sections(lines: list[Line], *, level: int, file: str) -> dict[str, list[Line]]:
    """Split lines at the headings of `level`; a part begins with its heading's line.

    Deeper headings stay inside; what stands before the first heading is under "". A page that
    has a heading twice raises KeywordIndexError. Fenced blocks are passed over.
    """
    mark = "#" * level + " "
    parts: dict[str, list[Line]] = {"": []}
    name, fence = "", ""
    for line in lines:
        match = _FENCE.fullmatch(line.text)
        if match and not fence:
            fence = match["ticks"]
        elif match and match["ticks"].startswith(fence) and not match["info"]:
            fence = ""
        if not fence and line.text.startswith(mark):
            name = line.text.removeprefix(mark).strip()
            if name in parts:
                cause = f"the heading {name!r} is there twice"
                raise KeywordIndexError(cause, file=file, line=line.number)
            parts[name] = []
        parts[name].append(line)
    return parts


def fenced_block(lines: list[Line], *, heading: str, file: str) -> list[Line]:
    """Return the lines of the first fenced block of Markdown after the heading, fences excluded.

    Raises KeywordIndexError when there is none, or when it has no end.
    """
    start = next((n for n, line in enumerate(lines) if line.text == f"## {heading}"), None)
    if start is None:
        raise KeywordIndexError(f"no keyword index: no heading {heading!r}", file=file)
    opening = next(
        (n for n in range(start + 1, len(lines)) if _FENCE.fullmatch(lines[n].text)), None
    )
    match = None if opening is None else _FENCE.fullmatch(lines[opening].text)
    if opening is None or match is None or match["info"].strip() not in ("markdown", "md"):
        cause = f"no keyword index: no block of Markdown under {heading!r}"
        raise KeywordIndexError(cause, file=file, line=lines[start].number)
    for n in range(opening + 1, len(lines)):
        closing = _FENCE.fullmatch(lines[n].text)
        if closing is None:
            continue
        # An index holds no blocks, so another one's beginning means that this one's end is lost.
        if closing["info"] or not closing["ticks"].startswith(match["ticks"]):
            break
        if n == opening + 1:
            raise KeywordIndexError("the block is empty", file=file, line=lines[n].number)
        return lines[opening + 1 : n]
    raise KeywordIndexError("the block is not closed", file=file, line=lines[opening].number)


def mended(text: str) -> str:
    """Undo, line by line, UTF-8 that was taken for Windows-1252 somewhere on its way.

    A line that such a mistake could not have produced is left as it is.
    """
    return "\n".join(_mended_line(line) for line in text.split("\n"))


def _mended_line(line: str) -> str:
    try:
        return line.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return line


def stated_sizes(block: list[Line], *, crlf: bool) -> set[int]:
    """Return the sizes in bytes that the file shown in a block can have had.

    The page may have been garbled after the size was written down. Where its lines end in CR LF
    (`crlf`), the file's own may have done so too, or not. Each possibility that is granted makes
    it likelier that a lost line goes unnoticed, so none is granted that the page does not show.
    """
    text = "\n".join(line.raw for line in block)
    sizes = set()
    for version in (text, mended(text)):
        size = len(version.encode())
        sizes |= {size, size + version.count("\n")} if crlf else {size}
    return sizes

"""What a keyword index says: the classes, functions and imports of one Python file.

A keyword index says *which* names exist; what each name owes its users is said by the
requirements. `keyword_page` reads an index from a page, `keyword_extraction` from Python source,
`keyword_toml` from the normalised form that is kept in `keywords/`; `keyword_rendering` writes
it as a page again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

__all__ = [
    "Keyword",
    "KeywordIndex",
    "KeywordIndexError",
    "Link",
    "PageFacts",
]

# A name as Python spells it, dotted for modules; leading dots for relative imports.
_NAME: Final = re.compile(r"\.*[^\W\d]\w*(\.[^\W\d]\w*)*|\.+")


class KeywordIndexError(ValueError):
    """A page, a source file or a TOML file that gives no sound keyword index.

    Arguments: `cause`, what is wrong; `file`, the name of what was read; `line`, counted from 1,
    or 0 where the fault is of the file as a whole.
    """

    def __init__(self, cause: str, *, file: str, line: int = 0) -> None:
        self.cause = cause
        self.file = file
        self.line = line
        super().__init__(f"{file}:{line}: {cause}" if line else f"{file}: {cause}")

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_error, (self.cause, self.file, self.line))


def _rebuild_error(cause: str, file: str, line: int) -> KeywordIndexError:
    return KeywordIndexError(cause, file=file, line=line)


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a page: the text that is shown, and where it leads (relative to the page)."""

    text: str
    target: str


@dataclass(frozen=True, slots=True)
class Keyword:
    """One name of an index, with the link to the page that documents it."""

    name: str
    link: Link


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What a wrapped page tells about the file of the index it wraps.

    `path` is where that file stands, `size` its length in bytes, `type` and `extension` its kind;
    `related` are the files of the same folder, `cross_references` the pages about it by label.

    The size takes no part in comparing: the same index in other words has another size.
    """

    path: str
    size: int = field(compare=False)
    type: str
    extension: str
    related: tuple[Link, ...] = ()
    cross_references: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class KeywordIndex:
    """Everything that one keyword index holds.

    `original_file` is the indexed file (its path in its repository, and the link to it),
    `documentation` the page that documents it, `folder` where it stands. `classes`, `functions`
    and `imports` are each sorted by code point and unique. `sections` are the sections of the
    documentation that the keywords are explained in. `page` is None for a bare index.

    `digest` is the SHA-256 of the bytes that the index was read from, in hexadecimal. It tells
    where an index came from, not what it says, so it takes no part in comparing two.
    """

    original_file: Link
    documentation: Link
    folder: str
    classes: tuple[Keyword, ...] = ()
    functions: tuple[Keyword, ...] = ()
    imports: tuple[Keyword, ...] = ()
    sections: tuple[str, ...] = ()
    page: PageFacts | None = None
    digest: str = field(default="", compare=False)

    @property
    def path(self) -> str:
        """The path of the indexed file in its repository."""
        return self.original_file.text

    @property
    def keywords(self) -> tuple[str, ...]:
        """Every name of the index once, sorted by code point."""
        named = (*self.classes, *self.functions, *self.imports)
        return tuple(sorted({keyword.name for keyword in named}))


def is_name(text: str) -> bool:
    """Tell whether `text` can be a keyword: an identifier, or a dotted module name."""
    return _NAME.fullmatch(text) is not None

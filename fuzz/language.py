"""What a reader has to understand, and what it has not: the two sides of a language."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from elastic_timer.line_reader import LineReader

__all__ = ["Kind", "Language", "Line", "Part", "Request"]


Request = tuple[Any, ...]
"""All that a request carries, the type of each thing included."""

Line = tuple[bytes, Request]
"""A line without its end, and the request that it is."""


class Kind(enum.Enum):
    """What a part of a stream is."""

    VALID = "valid"
    """It is a request, and has to be read."""
    INVALID = "invalid"
    """It is none, and nothing may be read from it."""
    DOUBTFUL = "doubtful"
    """It was a request before it was damaged, and may be one still."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a stream.

    Args:
        kind: what it is.
        data: its bytes.
        request: what is to be read from it, if it is valid.
    """

    kind: Kind
    data: bytes
    request: Request = ()


@dataclass(frozen=True, slots=True)
class Language:
    """What is written into one kind of pipe.

    Args:
        name: what the command calls it.
        reader: makes a reader.
        line: makes a line that is a request.
        before: what a writer writes before a line, and after it the line's end: another one may
            have left half a line in the pipe.
        variant: writes the same request in another way that is valid, on a line of its own.
        spoilt: makes a line that looks like a request and is none.
        everything: returns all that a request carries.
    """

    name: str
    reader: Callable[[], LineReader]
    line: Callable[[Random], Line]
    before: bytes
    variant: Callable[[Random, bytes], bytes]
    spoilt: Callable[[Random], bytes]
    everything: Callable[[Any], Request]

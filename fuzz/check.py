"""Whether a reader makes of a stream what it is, and the least of a stream that shows a fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .language import Kind, Language, Request
from .stream import Stream, pieces

__all__ = ["fault", "smallest"]


def fault(language: Language, stream: Stream) -> str | None:
    """Read a stream; return what is wrong with what was read, or ``None``."""
    reader = language.reader()
    read: list[Request] = []
    try:
        for piece in [*pieces(stream.data(), stream.cuts), b"\n"]:
            requests, malformed = reader.feed(piece)
            read += map(language.everything, requests)
            for error in malformed:
                str(error)
    except Exception as error:
        return f"the reader raised {error!r}"
    return _difference(stream, read)


def _difference(stream: Stream, read: Sequence[Request]) -> str | None:
    """Return how what was read differs from the valid requests.

    What was damaged may have become another request, but not more of them than it has lines.
    """
    expected = [part.request for part in stream.parts if part.kind is Kind.VALID]
    doubtful = [part.data for part in stream.parts if part.kind is Kind.DOUBTFUL]
    rest = iter(read)
    for request in expected:
        if request not in rest:
            return f"the request {request!r} was lost, or read too early; read was {read!r}"
    too_many = len(read) - len(expected) - sum(data.count(b"\n") + 1 for data in doubtful)
    if too_many > 0:
        return f"{len(expected)} requests were valid, and {len(read)} were read: {read!r}"
    return None


def smallest(language: Language, stream: Stream) -> Stream:
    """Return a stream with a fault that is in no part of it alone that could be left out."""
    shrunk = True
    while shrunk:
        shrunk = False
        for at in range(len(stream.parts)):
            parts = stream.parts[:at] + stream.parts[at + 1 :]
            fewer = replace(stream, parts=parts)
            if fault(language, fewer) is not None:
                stream, shrunk = fewer, True
                break
    whole = replace(stream, cuts=(max(1, len(stream.data())),))
    return whole if fault(language, whole) is not None else stream

"""A stream of bytes, made from a number: valid requests, and what gets in between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

from elastic_timer.line_reader import _LONGEST_LINE

from .garbage import garbage
from .language import Kind, Language, Part

__all__ = ["Stream", "generate", "pieces"]

_PARTS = (1, 2, 3, 3, 4, 6)
"""How many parts a stream has: it takes two for one to harm another."""

_MOST_PIECES = 60
"""In how many pieces a stream arrives: a reader copies what it has of a line for each."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Parts of a stream, and the lengths of the pieces in which it arrives, in turn."""

    parts: tuple[Part, ...]
    cuts: tuple[int, ...]

    def data(self) -> bytes:
        """Return all bytes of it."""
        return b"".join(part.data for part in self.parts)


def generate(language: Language, seed: int, number: int) -> Stream:
    """Return the stream of this number, always the same one.

    Args:
        language: what is to be valid in it.
        seed: of all streams of a run.
        number: of this stream.
    """
    rng = Random(f"{seed} {number}")
    parts: list[Part] = []
    for _ in range(rng.choice(_PARTS)):
        is_fresh = not parts or parts[-1].data.endswith(b"\n")
        parts += _parts(rng, language, is_fresh)
    shortest = 1 + sum(len(part.data) for part in parts) // _MOST_PIECES
    longest = max(shortest, rng.choice((1, 7, 64, 4096, 1 << 20)))
    cuts = tuple(rng.randint(shortest, longest) for _ in range(4))
    return Stream(tuple(parts), cuts)


def pieces(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """Cut bytes into pieces of these lengths, over and over."""
    lengths = list(cuts)
    start = turn = 0
    while start < len(data):
        end = start + lengths[turn % len(lengths)]
        yield data[start:end]
        start = end
        turn += 1


def _parts(rng: Random, language: Language, is_fresh: bool) -> Iterator[Part]:
    what = rng.random()
    if what < 0.45:
        line, request = language.line(rng)
        data = language.before + line + b"\n"
        yield Part(Kind.VALID, data, request)
        if rng.random() < 0.1:  # some writers say everything twice
            yield Part(Kind.VALID, data, request)
    elif what < 0.55 and is_fresh:
        line, request = language.line(rng)
        yield Part(Kind.VALID, language.variant(rng, line) + b"\n", request)
    elif what < 0.7 and is_fresh:
        # What follows on its line may happen to complete it.
        end, kind = rng.choice(((b"\n", Kind.INVALID), (b"", Kind.DOUBTFUL)))
        yield Part(kind, language.spoilt(rng) + end)
    elif what < 0.8:
        yield Part(Kind.DOUBTFUL, _damaged(rng, language) + rng.choice((b"\n", b"")))
    else:
        yield Part(Kind.INVALID, garbage(rng, _LONGEST_LINE) + rng.choice((b"\n", b"")))


def _damaged(rng: Random, language: Language) -> bytes:
    """Return a line with bytes that were changed, lost or doubled."""
    data = bytearray(language.line(rng)[0])
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data))
        data[at : at + rng.choice((0, 1, 1, 5))] = rng.choice(
            (b"", rng.randbytes(1), b"\n", b"\x00", data[at : at + 3])
        )
        if not data:
            break
    return bytes(data)

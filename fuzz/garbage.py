"""Text for scopes, numbers for times, and bytes that are a request in no language."""

from __future__ import annotations

import math
from random import Random

__all__ = ["garbage", "number", "scope"]

_ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz0123456789_.#/",
    "\n\r\t \x00\x10en\\\"'{}[]:,",
    "äß€漢😀\u2028\ufeff",
    "".join(map(chr, range(0x21))) + "\x7f\x85",
    "\ud800\udfff\udc80x",  # lone surrogates, which only Python takes for text
)
_SIZES = (0, 1, 3, 10, 10, 20, 20, 20, 20, 300)

_NUMBERS = (0.0, 1.0, 1e-300, 5e-324, 1.7976931348623157e308, 1e15 + 0.3, 1795530000.123456)


def scope(rng: Random) -> str:
    """Return any text that fits a request."""
    return "".join(rng.choices(rng.choice(_ALPHABETS), k=rng.choice(_SIZES)))


def number(rng: Random) -> float:
    """Return any number that is finite and not negative."""
    return rng.choice(_NUMBERS) if rng.random() < 0.3 else rng.random() * 1e10


def garbage(rng: Random, longest: int) -> bytes:
    """Return bytes that somebody has written who does not speak the language.

    Args:
        longest: the length of a line after which a reader gives it up.
    """
    return rng.choice(_KINDS)(rng, longest)


def _bytes(rng: Random, longest: int) -> bytes:
    return rng.randbytes(rng.choice((1, 2, 7, 30, 200)))


def _nuls(rng: Random, longest: int) -> bytes:
    return bytes(rng.choice((1, 8, 300)))


def _newlines(rng: Random, longest: int) -> bytes:
    return b"\n" * rng.randrange(1, 5)


def _not_utf_8(rng: Random, longest: int) -> bytes:
    return rng.choice((b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"))


def _deep(rng: Random, longest: int) -> bytes:
    opening = rng.choice((b"[", b'{"a":', b'{"version":'))
    # Deeper than the interpreter recurses, now and then.
    return opening * rng.choice((3, 50, 50, 50, 3000))


def _digits(rng: Random, longest: int) -> bytes:
    # More than the interpreter makes an integer of (sys.set_int_max_str_digits), now and then.
    return rng.choice((b"", b"-", b"1e", b"0.")) + b"7" * rng.choice((3, 400, 400, 5000))


def _overlong(rng: Random, longest: int) -> bytes:
    if rng.random() < 0.9:
        return b"x" * 100  # as a rule: long ones take as much time as hundreds of others
    return rng.choice((b"x", b"{", b"\x00")) * (longest + rng.randrange(-2, 10_000))


def _words(rng: Random, longest: int) -> bytes:
    return rng.choice((b"null", b"NaN", b'"text"', b"{}", b"[]", b"GET / HTTP/1.1\r\n", b"timer "))


_KINDS = (_bytes, _bytes, _nuls, _newlines, _not_utf_8, _deep, _digits, _overlong, _words)

assert all(map(math.isfinite, _NUMBERS))

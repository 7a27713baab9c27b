"""What options of several commands take."""

from __future__ import annotations

from argparse import ArgumentTypeError

__all__ = ["positive"]


def positive(text: str) -> int:
    """Return the number that an option is given, which has to be 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"at least 1, not {text!r}")
    return int(text)

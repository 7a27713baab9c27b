"""What a run shows while it runs."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import TextIO

from .mutant import Fate

__all__ = ["Progress", "duration"]

_EVERY = 10.0
"""Seconds between two lines in a log, which nobody reads as fast as a terminal's line."""


class Progress:
    """Tells how far a run is, how long it may take, and what has come of it so far.

    Args:
        number: of what is to be tried.
        stream: where to tell it.
        clock: seconds.
    """

    def __init__(
        self,
        number: int,
        stream: TextIO = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._number = number
        self._stream = stream
        self._clock = clock
        self._began = self._told = clock()
        self._fates: Counter[Fate] = Counter()

    def end(self, fate: Fate) -> None:
        """Tell that one more has been tried."""
        self._fates[fate] += 1
        now = self._clock()
        if self._stream.isatty():
            self._stream.write(f"\r\x1b[K{self._line(now)}")
        elif now - self._told >= _EVERY or self._done == self._number:
            self._told = now
            self._stream.write(f"{self._line(now)}\n")
        self._stream.flush()

    def note(self, text: str) -> None:
        """Say something in between."""
        self._stream.write(("\r\x1b[K" if self._stream.isatty() else "") + f"{text}\n")
        self._stream.flush()

    @property
    def _done(self) -> int:
        return self._fates.total()

    def _line(self, now: float) -> str:
        passed = now - self._began
        left = passed / self._done * (self._number - self._done)
        return (
            f"[{self._done:>{len(str(self._number))}}/{self._number}] "
            f"{self._fates[Fate.KILLED]} killed, {self._fates[Fate.SURVIVED]} survived, "
            f"{duration(passed)} so far, about {duration(left)} left"
        )


def duration(seconds: float) -> str:
    """Return a time as minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"

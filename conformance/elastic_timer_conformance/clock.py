"""A clock that only moves when it is told to, for tests that must not depend on real time."""

from __future__ import annotations

import time

__all__ = ["ControlledClock"]


class ControlledClock:
    """Gives a server its time: `time()` is the wall clock, `monotonic()` the steady one.

    It starts at the real time of both, so that requests stamped by a real client still make
    sense to a server that goes by it, and then stands still.

    How far the two real clocks are apart changes while time servers slew one of them. So whoever
    makes a deadline of an expiration time, as clients do, asks this clock too: see `deadline`.
    """

    def __init__(self, wall: float | None = None, monotonic: float | None = None) -> None:
        self._wall = time.time() if wall is None else wall
        self._monotonic = time.monotonic() if monotonic is None else monotonic
        self._jumped = 0.0

    def time(self) -> float:
        """Return seconds since the epoch."""
        return self._wall

    def monotonic(self) -> float:
        """Return seconds since some fixed moment."""
        return self._monotonic

    def deadline(self, expiration_time: float) -> float:
        """Return when an expiration time is on the steady clock, as a client would find.

        The wall clock's jumps are those of the server: clients do not see them.
        """
        return self._monotonic + (expiration_time - (self._wall - self._jumped))

    def advance(self, seconds: float) -> None:
        """Let `seconds` (not negative) pass on both clocks."""
        if seconds < 0:
            raise ValueError(f"time does not run backwards: {seconds}")
        self._wall += seconds
        self._monotonic += seconds

    def step_wall(self, seconds: float) -> None:
        """Let the wall clock jump by `seconds`, either way, as an administrator or NTP does."""
        self._wall += seconds
        self._jumped += seconds

"""Time: the two clocks, and one instant on both of them.

The interface speaks of *expiration times*: seconds since the epoch on the wall clock. The wall
clock may jump, so nobody decides by it. A *deadline* is the same instant on the host's monotonic
clock, which all processes of a host share and which never jumps.
"""

from __future__ import annotations

import math
import time
from typing import Protocol, SupportsFloat, final

__all__ = ["SYSTEM_CLOCK", "Clock", "Instant", "SystemClock", "acquirable", "finite_seconds"]


class Clock(Protocol):
    """What a server reads the time from; hand in another one to control time in a test."""

    def time(self) -> float:
        """Return the wall clock's time, in seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return the host's monotonic time, in seconds since an arbitrary instant."""
        ...


@final
class SystemClock:
    """The clocks of this host (``CLOCK_REALTIME`` and ``CLOCK_MONOTONIC``)."""

    __slots__ = ()

    def time(self) -> float:
        """Return the wall clock's time, in seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return the host's monotonic time, in seconds since an arbitrary instant."""
        return time.monotonic()


SYSTEM_CLOCK = SystemClock()


@final
class Instant(float):
    """An instant on both clocks: as a number it is the wall clock's, in seconds since the epoch.

    Code that knows only expiration times takes it for the ``float`` that it is; code that decides
    takes :attr:`monotonic`, so a jump of the wall clock moves no decision (CLOCK-STEP).

    Args:
        epoch: seconds since the epoch on the wall clock.
        monotonic: the same instant on the monotonic clock, in seconds.
    """

    __slots__ = ("monotonic",)

    monotonic: float
    """The same instant on the host's monotonic clock, in seconds."""

    def __new__(cls, epoch: float, monotonic: float) -> Instant:
        instant = float.__new__(cls, epoch)
        instant.monotonic = monotonic
        return instant

    def __reduce__(self) -> tuple[type[Instant], tuple[float, float]]:
        return Instant, (float(self), self.monotonic)

    @staticmethod
    def now(clock: Clock = SYSTEM_CLOCK) -> Instant:
        """Return the present instant.

        The monotonic clock is read last: a thread that is suspended between the two readings gets
        a deadline that is late, never one that is early (CLOCK-PRECISION).
        """
        return Instant(clock.time(), clock.monotonic())

    @staticmethod
    def of(expiration_time: float, clock: Clock = SYSTEM_CLOCK) -> Instant:
        """Return the instant of an expiration time, converted by what the clocks say now.

        Args:
            expiration_time: seconds since the epoch; an ``Instant`` is returned as it is.
        """
        if type(expiration_time) is Instant:
            return expiration_time
        now = Instant.now(clock)
        return Instant(expiration_time, now.monotonic + (expiration_time - now))

    def after(self, seconds: float) -> Instant:
        """Return the instant that is ``seconds`` later (earlier, if negative).

        It never lies before the epoch, because a negative expiration time means a release
        (EXPIRES-INVALID); the deadline is kept exactly.
        """
        return Instant(max(0.0, float(self) + seconds), self.monotonic + seconds)


def finite_seconds(value: SupportsFloat, what: str) -> float:
    """Return ``value`` as a float, or say clearly why it cannot be a time.

    Args:
        value: what the caller gave; anything numeric, NumPy and PyTorch scalars included.
        what: the argument's name, for the message.

    Raises:
        TypeError: it is not a number.
        ValueError: it is NaN or infinite, or too large for a float.
    """
    if not isinstance(value, (int, float)) and not hasattr(value, "__float__"):
        raise TypeError(f"{what} must be a number of seconds, not {value!r}")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise ValueError(f"{what} must be a finite number of seconds, not {value!r}")
    return seconds


def acquirable(expiration_time: float) -> Instant:
    """Return the instant of an expiration time that a timer can be acquired for.

    Raises:
        TypeError, ValueError: it is no finite number, or negative, which would mean a release.
    """
    if type(expiration_time) is not Instant:
        expiration_time = Instant.of(finite_seconds(expiration_time, "expiration_time"))
    if expiration_time < 0:
        raise ValueError(
            f"expiration_time must not be negative, which would mean a release: "
            f"{float(expiration_time)!r}; use release() to release a timer"
        )
    return expiration_time

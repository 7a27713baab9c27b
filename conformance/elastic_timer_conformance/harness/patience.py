"""For tests in which a worker has to do something before a timer expires, on any machine."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["TooSlowError", "with_time_enough"]

# Seconds. The first is enough on a machine that is not starved; each next one is tried when the
# one before was too short, and the last is beyond what a machine that works may need.
DURATIONS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


class TooSlowError(AssertionError):
    """The machine took longer for a step than the timer allowed: nothing can be concluded."""


def with_time_enough(check: Callable[[float], None]) -> None:
    """Call `check` with a duration in seconds, and again with longer ones if that was too short.

    `check` raises TooSlowError if the worker was not in time. Usable as a decorator of a function
    inside a test, which is then called at once.
    """
    for duration in DURATIONS[:-1]:
        try:
            return check(duration)
        except TooSlowError:
            continue
    return check(DURATIONS[-1])

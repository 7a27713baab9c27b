"""The server's table of timers: what requests do to it, what has expired, and what reaping leaves.

A table is a tuple of timers in order, so that two tables with the same timers are equal. Nothing
here looks at a clock: times come with the requests, and from whoever asks.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple, TypeAlias

__all__ = [
    "Outcome",
    "Release",
    "Request",
    "Table",
    "Timer",
    "after_reaping",
    "cleared",
    "expired",
    "expired_by",
    "late",
    "registered",
]


class Timer(NamedTuple):
    """A timer; also the request that arms it, since an acquire says nothing else.

    Workers can be anything that can be compared and hashed. Scopes are alike when they are equal.
    """

    worker: Any
    scope: Any
    deadline: float
    """The instant on the monotonic clock from which on it has expired: what is decided by."""
    expiration_time: float = 0.0
    """The same instant as the wall clock had it when the timer was acquired (REQUEST-FIELDS)."""


class Release(NamedTuple):
    """The request that removes a timer (REQUEST-RELEASE)."""

    worker: Any
    scope: Any


Request: TypeAlias = Timer | Release
Table: TypeAlias = tuple[Timer, ...]


def registered(table: Table, requests: Iterable[Request]) -> Table:
    """Return the table after requests, which take effect in their order (SERVER-REGISTER-ORDER).

    An acquire enters its timer, in the place of an earlier one of the same worker and scope
    (SERVER-REGISTER, SERVER-REGISTER-REPLACE, CLIENT-REACQUIRE). A release removes the timer of its
    worker and scope, if there is one, and no other (SERVER-REGISTER-RELEASE,
    CLIENT-RELEASE-VACUOUS, CLIENT-SCOPES-INDEPENDENT, CLIENT-WORKERS-INDEPENDENT).
    """
    timers = {(timer.worker, timer.scope): timer for timer in table}
    for request in requests:
        timers.pop((request.worker, request.scope), None)
        if isinstance(request, Timer):
            timers[request.worker, request.scope] = request
    return tuple(sorted(timers.values()))


def cleared(table: Table, workers: Collection[Any]) -> Table:
    """Return the table without the timers of these workers, expired or not (SERVER-CLEAR)."""
    return tuple(timer for timer in table if timer.worker not in workers)


def expired(table: Table, now: float) -> Table:
    """Return the timers whose deadline is at or before this time: what a watchdog judges by."""
    return tuple(timer for timer in table if timer.deadline <= now)


def expired_by(table: Table, expiration_time: float) -> Table:
    """Return the timers that expire at or before this time of the wall clock.

    This is what `get_expired_timers` is asked (SERVER-EXPIRED-INCLUSIVE).
    """
    return tuple(timer for timer in table if timer.expiration_time <= expiration_time)


def late(table: Table, now: float) -> tuple[Any, ...]:
    """Return the workers with an expired timer, each once (SERVER-EXPIRED-GROUPED)."""
    return tuple(dict.fromkeys(timer.worker for timer in expired(table, now)))


class Outcome(enum.StrEnum):
    """What trying to reap a worker comes to."""

    REAPED = "reaped"
    GONE = "gone"
    RAISES = "raises"
    FAILS = "fails"

    @property
    def counts_as_reaped(self) -> bool:
        """Everything does but a failure (PROCESS-GONE, WATCHDOG-REAP-RAISES)."""
        return self is not Outcome.FAILS


def after_reaping(table: Table, worker: Any, outcome: Outcome) -> Table:
    """Return what is left: no timer of a worker that counts as reaped, expired or not.

    After a failure all of them are (WATCHDOG-REAPED, WATCHDOG-REAP-FAILED).
    """
    return cleared(table, {worker}) if outcome.counts_as_reaped else table

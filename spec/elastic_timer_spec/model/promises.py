"""What a worker is owed, told from its calls alone: who may be reaped, and who must be.

Seen from outside, a call takes time: it began, and later it returned. Between the two nobody can
say whether it has had its effect. So what follows from it is said twice, each time with the doubt
on the implementation's side: a worker *may* be reaped if it possibly was late, and *must* be reaped
while it surely is.

All times are on one monotonic clock, in whatever unit the caller likes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

__all__ = ["Call", "Hold", "Promises", "Span"]


class Call(NamedTuple):
    """When a call began and when it returned: never, if the worker was killed in it."""

    began: float
    returned: float = math.inf


class Span(NamedTuple):
    """A time from an instant to another; infinity, if it has not ended."""

    since: float
    until: float = math.inf


@dataclass(frozen=True, slots=True)
class Hold:
    """One timer that a worker held: from its acquire to its release or its next acquire."""

    worker: Any
    scope: Any
    deadline: float
    acquire: Call
    end: Call | None = None
    """What took the timer away; None while nothing has."""

    def may_cost_a_life(self, at: float) -> bool:
        """Return whether a worker reaped at that time may have been reaped for this timer.

        Not before the deadline (CLOCK-PRECISION, SERVER-REGISTER). And never, if what took the
        timer away had returned before the deadline (WATCHDOG-NO-FALSE-REAP, CLIENT-RELEASE,
        CLIENT-REACQUIRE).
        """
        in_time = self.end is not None and self.end.returned < self.deadline
        return self.acquire.began <= at and self.deadline <= at and not in_time

    def due(self) -> Span | None:
        """Return from when to when the worker has to be reaped for this timer, if ever.

        From the deadline on, but not before acquire has returned (CLIENT-ACQUIRE, CLIENT-ARMED);
        until something begins that takes the timer away.
        """
        since = max(self.deadline, self.acquire.returned)
        until = math.inf if self.end is None else self.end.began
        return Span(since, until) if since < until else None


@dataclass(frozen=True, slots=True)
class Promises:
    """All timers that workers have held, and so what a server owes each of them.

    >>> promises = Promises().acquired("w", "step", 5.0, Call(1.0, 1.1))
    >>> promises.may_be_reaped("w", 4.9), promises.may_be_reaped("w", 5.0)
    (False, True)
    >>> promises.must_be_reaped("w")
    [Span(since=5.0, until=inf)]
    >>> promises = promises.released("w", "step", Call(4.0, 4.1))
    >>> promises.may_be_reaped("w", 9.0), promises.must_be_reaped("w")
    (False, [])
    """

    holds: tuple[Hold, ...] = ()

    def acquired(self, worker: Any, scope: Any, deadline: float, call: Call) -> Promises:
        """Return what is owed after an acquire, which ends an earlier one of the same scope."""
        ended = self.released(worker, scope, call)
        return Promises((*ended.holds, Hold(worker, scope, deadline, call)))

    def released(self, worker: Any, scope: Any, call: Call) -> Promises:
        """Return what is owed after a release; of a scope that is not held, the same as before."""
        return self._ended(call, lambda hold: (hold.worker, hold.scope) == (worker, scope))

    def gone(self, worker: Any, at: float) -> Promises:
        """Return what is owed when a worker has ended, in whatever way: nothing more is due."""
        return self._ended(Call(at), lambda hold: hold.worker == worker)

    def lost(self, at: float) -> Promises:
        """Return what is owed when a server that is not durable has ended: its timers are lost."""
        return self._ended(Call(at), lambda hold: True)

    def may_be_reaped(self, worker: Any, at: float) -> bool:
        """Return whether a worker may have been reaped at that time."""
        return any(hold.may_cost_a_life(at) for hold in self.holds if hold.worker == worker)

    def must_be_reaped(self, worker: Any) -> list[Span]:
        """Return from when to when a watchdog that runs has to reap a worker, for each such timer.

        A worker that a server had time to reap within one of these, and that has lived on, was
        not reaped as it must be (WATCHDOG-LATENCY, WATCHDOG-PROMPT, SERVER-RESTART,
        DURABLE-SERVER-CRASH). How much time that is, and that a server ran, is for the caller to
        say.
        """
        spans = (hold.due() for hold in self.holds if hold.worker == worker)
        return [span for span in spans if span is not None]

    def _ended(self, call: Call, chosen: Callable[[Hold], bool]) -> Promises:
        return Promises(
            tuple(
                replace(hold, end=call) if hold.end is None and chosen(hold) else hold
                for hold in self.holds
            )
        )

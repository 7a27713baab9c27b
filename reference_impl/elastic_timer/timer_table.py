"""The server's table: armed timers, the next deadline, and a worker's timers, all without a scan.

Armed timers are found by worker and scope in dictionaries, and by deadline in a binary heap. The
heap is lazy: a timer that is re-acquired for later or released leaves its entry where it is, and
the entry is put right when it comes to the top. A training loop that enters the same guarded block
again and again therefore touches the heap once in ``after`` seconds, however often it enters.

Source: the lazily re-armed deadline is how TCP implementations keep retransmission timers cheap;
see G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, for the problem.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .api import TimerRequest
from .clock import SYSTEM_CLOCK, Clock, Instant

__all__ = ["TimerTable"]

_SWEEP_AFTER = 256
"""After so many entries, or as many as there are armed timers, the heap is rid of those that are
left over: seldom enough to cost next to nothing, and as many are nothing to keep."""


class _Timer:
    """One worker's scope: armed while it has a request."""

    __slots__ = ("deadline", "entry", "key", "request", "scope_id", "worker_id")

    def __init__(self, worker_id: Any, scope_id: str) -> None:
        self.worker_id: Any = worker_id
        self.scope_id: str = scope_id
        self.request: TimerRequest | None = None
        self.deadline = math.inf
        # The number and key of this timer's valid heap entry; any other entry is left over.
        self.entry: int | None = None
        self.key = math.inf


class TimerTable:
    """All armed timers of one server.

    ``len(table)`` is the number of armed timers, and iterating gives the worker id and scope of
    each.

    Args:
        clock: converts the expiration time of a request that does not bring its deadline along.
    """

    __slots__ = ("_armed", "_clock", "_heap", "_numbers", "_pushed", "_workers")

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._workers: dict[Any, dict[str, _Timer]] = {}
        self._heap: list[tuple[float, int, _Timer]] = []
        self._numbers = itertools.count()
        self._pushed = 0  # since the heap was swept
        self._armed = 0

    def __len__(self) -> int:
        return self._armed

    def __iter__(self) -> Iterator[tuple[Any, str]]:
        return ((timer.worker_id, timer.scope_id) for timer in self._armed_timers())

    def __repr__(self) -> str:
        return f"<TimerTable: {self._armed} timers of {len(self._workers)} workers>"

    def take(
        self,
        requests: Iterable[TimerRequest],
        sender_of: Callable[[TimerRequest], Any],
        refuse: Callable[[TimerRequest, Exception], object],
    ) -> None:
        """Arm, re-arm or release the timers that requests name, in their order.

        Args:
            requests: a negative expiration time releases.
            sender_of: returns the worker under whose timers a request counts, equal to the
                request's worker id and possibly knowing more (see
                :class:`~elastic_timer.worker.WorkerId`), or ``None`` if nobody sent it. It is not
                asked again while the requests in a row bring along the very object that it
                returned.
            refuse: is given what is no request, and what was wrong; the others are served.
        """
        sender: Any = None
        scopes: dict[str, _Timer] = {}
        for request in requests:
            try:
                if request.worker_id is not sender or sender is None:
                    sender = sender_of(request)
                    if sender is None:
                        continue
                    scopes = self._workers.get(sender, {})
                scope_id = request.scope_id
                timer = scopes.get(scope_id)
                expiration = request.expiration_time
                if expiration < 0:
                    if timer is not None and timer.request is not None:
                        timer.request = None
                        self._armed -= 1
                    continue
                if type(expiration) is not Instant:
                    expiration = Instant.of(expiration, self._clock)
                if timer is None:
                    timer = scopes[scope_id] = _Timer(sender, scope_id)
                    self._workers[sender] = scopes
                if timer.request is None:
                    self._armed += 1
                timer.request = request
                timer.deadline = deadline = expiration.monotonic
                if deadline < timer.key:
                    self._push(timer)
            except (AttributeError, TypeError, ValueError) as error:
                sender = None  # whoever is told may do anything to this table
                refuse(request, error)

    def clear(self, worker_id: Any) -> None:
        """Drop all timers of one worker, and of no other."""
        for timer in self._workers.pop(worker_id, {}).values():
            if timer.request is not None:
                timer.request = None
                self._armed -= 1

    def next_deadline(self, after: float) -> float:
        """Return the first deadline later than ``after``, on the monotonic clock; inf if none.

        A timer that was put off or released since it was armed may make the answer too early, never
        too late.
        """
        self._settle()
        # The entry of a timer that was put off lags behind its deadline.
        found = (time for key, timer in self._top(after) for time in (key, timer.deadline))
        return min((time for time in found if time > after), default=math.inf)

    def expired(self, deadline: float) -> dict[Any, list[TimerRequest]]:
        """Return the expired timers by worker, those with a deadline ≤ ``deadline``.

        Args:
            deadline: an :class:`~elastic_timer.clock.Instant` is compared by deadlines, and only
                timers that expired by then are looked at. A plain number is an expiration time,
                is compared as such, and takes a look at every timer.
        """
        if isinstance(deadline, Instant):
            by = deadline.monotonic
            # A timer that was put forward also has a left-over entry: name it once.
            found = dict.fromkeys(t for _, t in self._top(by) if t.request and t.deadline <= by)
            timers = sorted(found, key=lambda timer: timer.deadline)
        else:
            timers = [t for t in self._armed_timers() if _expiration_time(t) <= deadline]
        grouped: dict[Any, list[TimerRequest]] = {}
        for timer in timers:
            assert timer.request is not None
            grouped.setdefault(timer.worker_id, []).append(timer.request)
        return grouped

    def _armed_timers(self) -> Iterator[_Timer]:
        for scopes in self._workers.values():
            for timer in scopes.values():
                if timer.request is not None:
                    yield timer

    def _push(self, timer: _Timer) -> None:
        timer.entry = next(self._numbers)
        timer.key = timer.deadline
        heapq.heappush(self._heap, (timer.key, timer.entry, timer))
        self._pushed += 1
        if self._pushed > max(_SWEEP_AFTER, self._armed):
            self._sweep()

    def _settle(self) -> None:
        """Put the top of the heap right, until it is an armed timer at its own deadline."""
        heap = self._heap
        while heap:
            key, entry, timer = heap[0]
            if entry == timer.entry and timer.request is not None:
                if timer.deadline == key:
                    return
                heapq.heappop(heap)
                self._push(timer)
            else:
                heapq.heappop(heap)
                if entry == timer.entry:
                    self._forget(timer)

    def _forget(self, timer: _Timer) -> None:
        """Take out a released timer whose heap entry is gone."""
        timer.key = math.inf
        timer.entry = None
        scopes = self._workers.get(timer.worker_id)
        if scopes is not None and scopes.get(timer.scope_id) is timer:
            del scopes[timer.scope_id]
            if not scopes:
                del self._workers[timer.worker_id]

    def _sweep(self) -> None:
        """Rebuild the heap from the armed timers; called so seldom that a push stays O(log n)."""
        self._pushed = 0
        for scopes in list(self._workers.values()):
            for timer in list(scopes.values()):
                if timer.request is None:
                    self._forget(timer)
        heap = []
        for timer in self._armed_timers():
            timer.key = timer.deadline
            timer.entry = next(self._numbers)
            heap.append((timer.key, timer.entry, timer))
        heapq.heapify(heap)
        self._heap[:] = heap

    def _top(self, bound: float) -> Iterator[tuple[float, _Timer]]:
        """Walk the top of the heap: every entry with key ≤ ``bound``, and the next ones below.

        In a heap these hang together, so what is looked at is what there is to find.
        """
        heap = self._heap
        pending = [0]
        while pending:
            index = pending.pop()
            if index < len(heap):
                key, _, timer = heap[index]
                yield key, timer
                if key <= bound:
                    pending += (2 * index + 1, 2 * index + 2)


def _expiration_time(timer: _Timer) -> float:
    return math.inf if timer.request is None else timer.request.expiration_time

"""A server of this host's worker processes: what the local backends have in common."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from .api import RequestQueue, TimerRequest, TimerServer
from .clock import SYSTEM_CLOCK, Clock, Instant, finite_seconds
from .events import EventListener
from .exit_watch import ExitWatch
from .reaper import reap
from .timer_table import TimerTable
from .worker import UNKNOWN, WorkerId, start_time

__all__ = ["ProcessTimerServer"]

logger = logging.getLogger(__name__)

_RETRY_INTERVAL = 1.0
"""Seconds at most until a failed reap is tried again; what made it fail rarely passes sooner."""


class ProcessTimerServer(TimerServer):
    """Keeps the timers of processes on this host, knows when they exit, and kills the hung ones.

    Args:
        request_queue: where the requests come from.
        max_interval: how long one watchdog waits for a request at the most, in seconds.
        daemon: whether the watchdog's thread lets the interpreter exit.
        clock: where the time comes from.
        on_event: is told of everything that happens (OBSERVE-EVENTS).
        reap_signal: the signal that ends a hung worker; with 0 none is sent, and expired timers
            are only told of (PROCESS-SIGNAL).
    """

    def __init__(
        self,
        request_queue: RequestQueue,
        max_interval: float,
        daemon: bool = True,
        *,
        clock: Clock = SYSTEM_CLOCK,
        on_event: EventListener | None = None,
        reap_signal: int = signal.SIGKILL,
    ) -> None:
        super().__init__(request_queue, max_interval, daemon, clock=clock, on_event=on_event)
        self._reap_signal = reap_signal
        self._timers = TimerTable(clock)
        self._table_lock = threading.RLock()  # the table may be asked while the server runs
        self._workers: dict[int, WorkerId] = {}
        self._exits = ExitWatch()
        self._judged = -float("inf")  # the monotonic time as of which timers were judged last

    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        """Take over requests, in their order; a negative expiration time releases.

        What is no request is reported, and keeps no other from being served (QUEUE-MALFORMED).
        """
        with self._table_lock:
            self._timers.take(timer_requests, self._sender, self._refuse)

    def _sender(self, request: TimerRequest) -> WorkerId | None:
        """Return who sent a request, or ``None``; raise if a server could not act on it."""
        claimed: int = request.worker_id
        known = self._workers.get(claimed)
        if known is claimed:
            return known
        _check(request)
        return self._meet(claimed, known)

    def _refuse(self, request: TimerRequest, error: Exception) -> None:
        self._report_malformed(f"skipped what is no request ({error}): {request!r:.200}")

    def clear_timers(self, worker_ids: set[int]) -> None:
        """Drop all timers of these workers, and of no others."""
        with self._table_lock:
            for worker_id in worker_ids:
                self._timers.clear(worker_id)

    def get_expired_timers(self, deadline: float) -> dict[Any, list[TimerRequest]]:
        """Return every timer that has expired by ``deadline``, by worker; nothing changes.

        Args:
            deadline: an :class:`~elastic_timer.clock.Instant` is compared on the monotonic clock;
                a plain number is compared with the expiration times.
        """
        with self._table_lock:
            return self._timers.expired(deadline)

    def _run_watchdog(self) -> None:
        for worker_id in self._exits.exited():
            self._forget(worker_id)
        super()._run_watchdog()

    def _patience(self, now: Instant, pending: int) -> float:
        longest = min(self._max_interval, _RETRY_INTERVAL) if self._unreaped else self._max_interval
        # What had expired by the last watchdog was judged then, and is tried again after a while.
        with self._table_lock:
            next_deadline = self._timers.next_deadline(after=self._judged)
        self._judged = now.monotonic
        return max(0.0, min(longest, next_deadline - now.monotonic))

    def _enforce(self, worker_id: int, timers: list[TimerRequest], now: Instant) -> bool:
        if self._reap_signal > 0:
            return super()._enforce(worker_id, timers, now)
        self._let_be(worker_id, timers)
        return False

    def _reap_worker(self, worker_id: int) -> bool:
        """Signal a worker. The id that comes out of the table knows the worker's start time."""
        return reap(worker_id, self._reap_signal)

    def _let_be(self, worker_id: int, timers: list[TimerRequest]) -> None:
        """Drop expired timers for which no signal is to be sent; those with time left stay."""
        scopes = [timer.scope_id for timer in timers]
        logger.warning("worker %s is let be: no signal is to be sent for %s", worker_id, scopes)
        releases = [TimerRequest(worker_id, scope_id, -1) for scope_id in scopes]
        with self._table_lock:
            self._timers.take(releases, lambda release: worker_id, self._refuse)

    def _meet(self, claimed: int, known: WorkerId | None) -> WorkerId | None:
        """Return who sent a request: the process that is known by this pid, or a new one.

        Returns:
            ``None`` if no process with this pid started when the sender is said to have: it is
            gone, or never was.
        """
        started = claimed.start_time if isinstance(claimed, WorkerId) else UNKNOWN
        if known is not None and started in (UNKNOWN, known.start_time):
            return known
        if claimed > 0:
            present = start_time(claimed)
            if started == UNKNOWN:
                started = present
            elif present not in (UNKNOWN, started):
                return None
        if known is not None:
            self._forget(known)
        # The very object that the requests bring is kept, where it says all: it is found again at
        # the cost of a comparison of identities.
        if isinstance(claimed, WorkerId) and claimed.start_time == started:
            worker_id = claimed
        else:
            worker_id = WorkerId(claimed, started)
        # Only a process whose end will be known is remembered, or nothing would be forgotten.
        if claimed > 0 and started != UNKNOWN:
            self._workers[worker_id] = worker_id
            self._exits.watch(worker_id)
        return worker_id

    def _forget(self, worker_id: WorkerId) -> None:
        """Drop a worker whose process has ended, unless another one has its pid already."""
        with self._table_lock:
            if self._workers.get(worker_id) is worker_id:
                self._timers.clear(worker_id)
                del self._workers[worker_id]

    def _report_malformed(self, problem: object) -> None:
        logger.warning("%s", problem)
        self._tell("malformed request", detail=str(problem))


def _check(request: TimerRequest) -> None:
    """Raise TypeError or ValueError if a server could not act on this request."""
    if not isinstance(request.worker_id, int):
        raise TypeError("its worker id is not an integer")
    if not isinstance(request.scope_id, str):
        raise TypeError("its scope is not text")
    finite_seconds(request.expiration_time, "its expiration time")

"""A server on a clock that stands still, of which reaping is recorded and decided by the test."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.clock import ControlledClock

__all__ = ["Timer", "WatchedServer"]

Timer = tuple[Any, str, float]
"""Worker id, scope and expiration time."""


class WatchedServer:
    """The backend's own server, not started: its table, and one watchdog at a time.

    `reaped` are the workers that it wanted to reap, in order. `answers` are, by worker, what
    reaping is to return or raise, one after the other; True when there are none left.
    """

    def __init__(self, backend: Backend, clock: ControlledClock, max_interval: float) -> None:
        self.clock = clock
        self.reaped: list[Any] = []
        self.answers: dict[Any, list[bool | Exception]] = defaultdict(list)
        self._backend = backend
        self._idle = backend.idle_server(max_interval, clock, self._reap)
        self.server = self._idle.server

    def request(self, worker_id: Any, scope: str, after: float) -> Any:
        """Return a request for a timer that expires so many seconds from now, if negative: has."""
        return self._backend.request(worker_id, scope, self.clock.time() + after)

    def release(self, worker_id: Any, scope: str) -> Any:
        """Return a request that releases."""
        return self._backend.request(worker_id, scope, -1)

    def register(self, *requests: Any) -> None:
        """Enter requests into the table, all in one list."""
        self.server.register_timers(list(requests))

    def put(self, *requests: Any) -> None:
        """Send requests through the queue, as clients do."""
        for request in requests:
            self._idle.put(request)

    def settle(self) -> None:
        """Wait until what was put has arrived, where something has to carry it."""
        self._idle.settle()

    def run_watchdog(self) -> None:
        """Run one watchdog."""
        self.server._run_watchdog()

    def timers(self, deadline: float = float("inf")) -> list[Timer]:
        """Return what has expired at a time, by default everything in the table, sorted."""
        expired = self.server.get_expired_timers(deadline)
        for worker_id, requests in expired.items():
            assert requests, f"{worker_id} is a key without a timer"
            assert all(request.worker_id == worker_id for request in requests)
        return sorted(
            (request.worker_id, request.scope_id, request.expiration_time)
            for requests in expired.values()
            for request in requests
        )

    def must_have(self, *timers: Timer, expired_by: float = float("inf"), why: str) -> None:
        """Assert that these are all timers that have expired by a time, by default all there are.

        `why` says in the message what has been done before.
        """
        found = Counter(self.timers(expired_by))
        wanted = Counter(timers)
        what = "the table" if expired_by == float("inf") else "what has expired"
        assert found == wanted, (
            f"{why}; then {what} lacks {self._named(wanted - found)}, "
            f"and has {self._named(found - wanted)} beyond what it should"
        )

    def _named(self, timers: Counter[Timer]) -> str:
        now = self.clock.time()
        named = [f"{scope!r} of {who} ({at - now:+g} s)" for who, scope, at in timers.elements()]
        return ", ".join(sorted(named)) or "nothing"

    def scopes(self, worker_id: Any) -> list[str]:
        """Return the scopes of the worker's timers, sorted."""
        return [scope for owner, scope, _ in self.timers() if owner == worker_id]

    def close(self) -> None:
        """Free what the server holds."""
        self._idle.close()

    def _reap(self, worker_id: Any) -> bool:
        self.reaped.append(worker_id)
        answer = self.answers[worker_id].pop(0) if self.answers[worker_id] else True
        if isinstance(answer, Exception):
            raise answer
        return answer

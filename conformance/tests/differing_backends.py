"""Backends with a server that differs from the model in one small way, each in another."""

from __future__ import annotations

import math
from typing import Any

from elastic_timer import LocalTimerServer, RequestPipe, TimerRequest
from elastic_timer.clock import Instant
from elastic_timer_conformance.backend import Deviation
from elastic_timer_conformance.backends.local import LocalBackend

Requests = list[Any]


class ForgettingServer(LocalTimerServer):
    """Has room for two scopes of a worker."""

    def register_timers(self, timer_requests: Requests) -> None:
        for request in timer_requests:
            super().register_timers([request])
            scopes = self.get_expired_timers(math.inf).get(request.worker_id, [])
            for oldest in scopes[:-2]:
                self._timers.disarm(self._workers[request.worker_id], oldest.scope_id)


class ForgetsAScope(LocalBackend):
    """The table forgets a scope when a worker has a third one."""

    name = "forgets-a-scope"
    server_class = ForgettingServer


class ReleasesLastServer(LocalTimerServer):
    """Sorts what it has got."""

    def register_timers(self, timer_requests: Requests) -> None:
        super().register_timers(sorted(timer_requests, key=lambda r: r.expiration_time < 0))


class ReleaseWins(LocalBackend):
    """A release wins over an acquire of the same scope that is sent after it."""

    name = "release-wins"
    server_class = ReleasesLastServer


class ForgivingServer(LocalTimerServer):
    """Drops the timers of a worker that could not be reaped."""

    def _run_watchdog(self) -> None:
        super()._run_watchdog()
        self.clear_timers(set(self._unreaped))


class DoesNotTryAgain(LocalBackend):
    """A worker that could not be reaped is let off."""

    name = "does-not-try-again"
    server_class = ForgivingServer


class HalfClearingServer(LocalTimerServer):
    """Clears only what has expired."""

    def clear_timers(self, worker_ids: set[int]) -> None:
        expired = self.get_expired_timers(Instant.now(self._clock))
        for worker_id in worker_ids:
            timers = expired.get(worker_id, [])
            self.register_timers([TimerRequest(worker_id, one.scope_id, -1) for one in timers])


class ClearsOnlyWhatHasExpired(LocalBackend):
    """Clearing a worker leaves its timers that have time left."""

    name = "clears-only-what-has-expired"
    server_class = HalfClearingServer


class ExclusiveServer(LocalTimerServer):
    """Does not count a timer that expires just now."""

    def get_expired_timers(self, deadline: float) -> dict[Any, list[Any]]:
        if not isinstance(deadline, Instant):
            deadline = math.nextafter(deadline, -math.inf) if deadline < math.inf else deadline
        return super().get_expired_timers(deadline)


class ExpiresTooLate(LocalBackend):
    """A timer has not expired at its expiration time."""

    name = "expires-too-late"
    server_class = ExclusiveServer


class LosingPipe(RequestPipe):
    """Loses the second of three or more that are read at once."""

    def get(self, size: int, timeout: float) -> Requests:
        requests = super().get(size, timeout)
        return [*requests[:1], *requests[2:]] if len(requests) > 2 else requests


class LosesARequest(LocalBackend):
    """The queue loses one of three requests."""

    name = "loses-a-request"

    def make_queue(self) -> Any:
        return LosingPipe()


class LosesARequestAndSaysSo(LosesARequest):
    """Lists it as a deviation."""

    deviations = (Deviation("QUEUE-EXACTLY-ONCE", "it loses one request of three"),)


class WallClockServer(LocalTimerServer):
    """Judges by the wall clock."""

    def get_expired_timers(self, deadline: float) -> dict[Any, list[Any]]:
        return super().get_expired_timers(float(deadline))

    def _patience(self, now: Instant, pending: int) -> float:
        return 0.0


class BelievesTheWallClock(LocalBackend):
    """Timers are judged by the wall clock."""

    name = "believes-the-wall-clock"
    server_class = WallClockServer


class WrongOnceServer(ExclusiveServer):
    """Answers wrongly, until one of its kind has done so."""

    was_wrong = False

    def get_expired_timers(self, deadline: float) -> dict[Any, list[Any]]:
        right = LocalTimerServer.get_expired_timers(self, deadline)
        given = right if WrongOnceServer.was_wrong else super().get_expired_timers(deadline)
        WrongOnceServer.was_wrong = WrongOnceServer.was_wrong or given != right
        return given


class WrongOnce(LocalBackend):
    """One answer is wrong, of all that its servers give."""

    server_class = WrongOnceServer

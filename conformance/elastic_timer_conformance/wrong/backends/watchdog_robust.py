"""Watchdogs that are wrong in time: too late, or too sure."""

from __future__ import annotations

import math
from typing import Any

from elastic_timer import LocalTimerServer, RequestPipe, TimerRequest
from elastic_timer.clock import Instant

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.pipes import ServerOnPipe
from elastic_timer_conformance.wrong.tables import OneByOne

# Too late -----------------------------------------------------------------------------------------


class _FirstDeadline(LocalTimerServer):
    awaited = math.inf

    def _patience(self, now: Instant, pending: int) -> float:
        patience = super()._patience(now, pending)
        if len(self._timers) < 2 or self.awaited <= now.monotonic:
            self.awaited = now.monotonic + patience
        return min(self.awaited - now.monotonic, self._max_interval)


@breaks("WATCHDOG-PROMPT", seen="is still alive, as if max_interval were waited for")
class WaitsForTheFirstAcquired(LocalBackend):
    """A server that has set out to wait for a deadline does not wake for an earlier one."""

    server_class = _FirstDeadline


class _AtRequests(LocalTimerServer):
    awaited = math.inf
    is_news = False

    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        super().register_timers(timer_requests)
        self.is_news = self.is_news or bool(timer_requests)

    def _patience(self, now: Instant, pending: int) -> float:
        patience = super()._patience(now, pending)
        if self.is_news:
            self.awaited, self.is_news = now.monotonic + patience, False
        if patience and self.awaited <= now.monotonic:
            return self._max_interval
        return min(max(0.0, self.awaited - now.monotonic), self._max_interval)


@breaks("WATCHDOG-PROMPT", seen="is still alive, as if max_interval were waited for")
class LooksAheadWhenAsked(LocalBackend):
    """The next deadline is worked out when requests come, and not when one has passed."""

    server_class = _AtRequests


# Too sure -----------------------------------------------------------------------------------------


class _SamplesLate(LocalTimerServer):
    def get_expired_timers(self, deadline: float) -> dict[Any, list[TimerRequest]]:
        if isinstance(deadline, Instant):
            deadline = Instant.now(self._clock)
        return super().get_expired_timers(deadline)


@breaks("WATCHDOG-NO-FALSE-REAP", seen="which released in time while the server was suspended")
class SamplesTheTimeLate(LocalBackend):
    """Timers are judged as of the time at which the queue has been read."""

    server_class = _SamplesLate


class _KnowsBetter(OneByOne):
    is_reading = False

    def _run_watchdog(self) -> None:
        self.is_reading = True
        super()._run_watchdog()
        self.is_reading = False

    def _register(self, request: TimerRequest) -> None:
        late = super().get_expired_timers(Instant.now(self._clock)).get(request.worker_id, [])
        is_over = request.scope_id in [timer.scope_id for timer in late]
        if not (self.is_reading and is_over and request.expiration_time < 0):
            super()._register(request)


@breaks("WATCHDOG-NO-FALSE-REAP", seen="which released in time while the server was suspended")
class IgnoresLateReleases(LocalBackend):
    """A release that is read after the expiration time is ignored, whenever it was sent."""

    server_class = _KnowsBetter


class _ReadsOn(RequestPipe):
    read = 0

    def get(self, size: int, timeout: float) -> list[TimerRequest]:
        requests = more = super().get(size, timeout)
        self.read += len(requests)
        while more and self.read > 1000:
            more = super().get(1000, 0.0) or super().get(1, 0.5)
            requests = requests + more
        return requests


@breaks("WATCHDOG-FAIR", seen="is alive")
class ReadsAsLongAsTheyCome(ServerOnPipe):
    """After a thousand requests, a watchdog reads on until none has come for half a second."""

    pipe_class = _ReadsOn

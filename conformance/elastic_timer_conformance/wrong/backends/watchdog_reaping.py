"""Wrong watchdogs that read what is there, and reap otherwise than they should."""

from __future__ import annotations

from collections import Counter
from typing import Any

from elastic_timer import LocalTimerServer, TimerRequest, TimerServer
from elastic_timer.clock import Instant

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.namespace import WithNames


class _DropsTheExpired(LocalTimerServer):
    def _enforce(self, worker_id: int, timers: list[TimerRequest], now: Instant) -> bool:
        is_dealt_with = super()._enforce(worker_id, timers, now)
        if is_dealt_with and len(timers) > 1:
            self._let_be(worker_id, timers)
            return False
        return is_dealt_with


@breaks("WATCHDOG-REAPED", seen="a worker that was reaped still has timers: ['valid']")
class DropsTheExpiredOnly(LocalBackend):
    """Of a worker that is reaped for several scopes, only the timers of these are cleared."""

    server_class = _DropsTheExpired


class _ReapsForEach(LocalTimerServer):
    def _enforce(self, worker_id: int, timers: list[TimerRequest], now: Instant) -> bool:
        is_dealt_with = super()._enforce(worker_id, timers, now)
        for _ in timers[1:]:
            self._reap_worker(worker_id)
        return is_dealt_with


@breaks("WATCHDOG-REAPED", seen="every late worker is to be reaped once")
class ReapsForEachScope(LocalBackend):
    """A worker is reaped as often as it has scopes that have expired."""

    server_class = _ReapsForEach


class _ReapsThree(LocalTimerServer):
    def get_expired_timers(self, deadline: float) -> dict[Any, list[TimerRequest]]:
        expired = super().get_expired_timers(deadline)
        if isinstance(deadline, Instant):
            return dict(list(expired.items())[:3])
        return expired


@breaks(
    "WATCHDOG-REAPED",
    seen="the watchdog was to reap the workers",
    implies={"WATCHDOG-LATENCY": "the first watchdog that finds the others late is not their last"},
)
class ReapsThreeAtATime(LocalBackend):
    """A watchdog reaps up to three workers, and leaves the others to the next."""

    server_class = _ReapsThree


class _StopsAtAFailure(TimerServer):
    has_failed = False

    def _run_watchdog(self) -> None:
        self.has_failed = False
        super()._run_watchdog()

    def _enforce(self, worker_id: int, timers: list[TimerRequest], now: Instant) -> bool:
        if self.has_failed:
            return False
        is_dealt_with = super()._enforce(worker_id, timers, now)
        self.has_failed = not is_dealt_with
        return is_dealt_with


@breaks("WATCHDOG-REAPED", seen="1, 2 and 3 are late, and reaping was tried for [1, 2]")
class StopsAtAFailure(WithNames, TimerServer=_StopsAtAFailure):
    """A worker that cannot be reaped keeps those after it from being reaped."""


class _CountsFailures(LocalTimerServer):
    """Counts how often in a row reaping a worker has failed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.failures: Counter[int] = Counter()

    def _reap_for(self, worker_id: int, timer: TimerRequest) -> bool:
        is_reaped = super()._reap_for(worker_id, timer)
        self.failures[worker_id] = 0 if is_reaped else self.failures[worker_id] + 1
        return is_reaped


class _GivesUp(_CountsFailures):
    def _reap_for(self, worker_id: int, timer: TimerRequest) -> bool:
        return super()._reap_for(worker_id, timer) or self.failures[worker_id] == 2


@breaks("WATCHDOG-REAP-FAILED", seen="and of its timers these are left: []")
class GivesUpAfterTwo(LocalBackend):
    """A worker counts as reaped when reaping it has failed twice."""

    server_class = _GivesUp


class _TriesTwice(_CountsFailures):
    def _enforce(self, worker_id: int, timers: list[TimerRequest], now: Instant) -> bool:
        if self.failures[worker_id] == 2:
            return False
        return super()._enforce(worker_id, timers, now)


@breaks("WATCHDOG-REAP-FAILED", seen="was to have been tried 3 times by now")
class TriesTwice(LocalBackend):
    """A worker that could not be reaped twice keeps its timers, and is not tried again."""

    server_class = _TriesTwice


class _DropsTheLate(LocalTimerServer):
    def _reap_for(self, worker_id: int, timer: TimerRequest) -> bool:
        is_reaped = super()._reap_for(worker_id, timer)
        if not is_reaped and len(self.get_expired_timers(float("inf"))[worker_id]) > 1:
            self.register_timers([TimerRequest(worker_id, timer.scope_id, -1)])
        return is_reaped


@breaks("WATCHDOG-REAP-FAILED", seen="and of its timers these are left: ['valid']")
class DropsWhatHasExpired(LocalBackend):
    """When reaping fails, the timer that had expired is dropped, and those with time left stay."""

    server_class = _DropsTheLate


class _LetsThrough(LocalTimerServer):
    raised: RuntimeError | None = None

    def _reap_for(self, worker_id: int, timer: TimerRequest) -> bool:
        try:
            return super()._reap_for(worker_id, timer)
        except RuntimeError as error:
            self.raised = error
            raise

    def _enforce(self, worker_id: int, timers: list[TimerRequest], now: Instant) -> bool:
        is_dealt_with = super()._enforce(worker_id, timers, now)
        raised, self.raised = self.raised, None
        if raised:
            raise raised
        return is_dealt_with


@breaks("WATCHDOG-REAP-RAISES", seen="what reaping a worker raised has left the watchdog")
class LetsThroughAnError(LocalBackend):
    """Of what reaping a worker may raise, RuntimeError leaves the watchdog."""

    server_class = _LetsThrough


class _TakesItForAFailure(LocalTimerServer):
    def _reap_for(self, worker_id: int, timer: TimerRequest) -> bool:
        try:
            return super()._reap_for(worker_id, timer)
        except RuntimeError:
            return False


@breaks("WATCHDOG-REAP-RAISES", seen="reaping it raised, and it has timers")
class TakesItForAFailure(LocalBackend):
    """An exception counts as a worker that could not be reaped, which is tried again."""

    server_class = _TakesItForAFailure

"""Wrong watchdog loops."""

from __future__ import annotations

import time
from typing import Any

from elastic_timer import LocalTimerServer, TimerRequest
from elastic_timer.clock import Instant

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.tables import OneByOne

# After a watchdog that failed ---------------------------------------------------------------------


class _AtFailures(LocalTimerServer):
    """Has its own way with what leaves a watchdog, before the loop deals with it."""

    failures = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        watchdog = self._loop._watchdog

        def watch() -> None:
            try:
                watchdog()
            except Exception as error:
                self.failures += 1
                self._has_failed(error)
                raise

        self._loop._watchdog = watch

    def _has_failed(self, error: Exception) -> None:
        raise NotImplementedError


class _DiesOfASecond(_AtFailures):
    def _has_failed(self, error: Exception) -> None:
        if self.failures == 2:
            raise SystemExit  # which ends a thread, and nothing else


@breaks("WATCHDOG-SURVIVES", seen="when watchdog number 2 had raised OSError, no other ran")
class DiesOfASecondFailure(LocalBackend):
    """The loop survives one failing watchdog, and ends with the second."""

    server_class = _DiesOfASecond


class _TakesItForClosed(_AtFailures):
    def _has_failed(self, error: Exception) -> None:
        if isinstance(error, OSError):
            raise SystemExit


@breaks("WATCHDOG-SURVIVES", seen="had raised OSError, no other ran")
class TakesAnErrorForTheEnd(LocalBackend):
    """The loop takes an OSError for a queue that was closed, and ends."""

    server_class = _TakesItForClosed


class _Rests(_AtFailures):
    def _has_failed(self, error: Exception) -> None:
        # Three times as long as the allowance for what is known not to come.
        time.sleep(3.0)


@breaks("WATCHDOG-SURVIVES", seen="when watchdog number 1 had raised RuntimeError, no other ran")
class RestsAfterAFailure(LocalBackend):
    """The loop goes on three seconds after a watchdog that failed, whatever the interval is."""

    server_class = _Rests


# How often, and how late --------------------------------------------------------------------------


class _Spins(LocalTimerServer):
    def _patience(self, now: Instant, pending: int) -> float:
        return super()._patience(now, pending) / 4


@breaks("WATCHDOG-CALL-COUNT", seen="an idle server ran 10 watchdogs in")
class WakesTooOften(LocalBackend):
    """A watchdog waits for a quarter of the interval."""

    server_class = _Spins


class _Sleeps(LocalTimerServer):
    def _patience(self, now: Instant, pending: int) -> float:
        patience = super()._patience(now, pending)
        return patience if self._timers or pending else 3 * patience


@breaks("WATCHDOG-CALL-COUNT", seen="watchdogs of an idle server began within")
class SleepsLongWhenIdle(LocalBackend):
    """A watchdog of a server without timers waits for three intervals."""

    server_class = _Sleeps


class _Lenient(OneByOne):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.spared: set[tuple[int, str]] = set()

    def _register(self, request: TimerRequest) -> None:
        left = Instant.of(request.expiration_time, self._clock).monotonic - self._clock.monotonic()
        if 2 < left < 10:
            self.spared.add((request.worker_id, request.scope_id))
        super()._register(request)

    def _enforce(self, worker_id: int, timers: list[TimerRequest], now: Instant) -> bool:
        late = now - timers[0].expiration_time
        if late < 0.3 and (worker_id, timers[0].scope_id) in self.spared:
            return False
        return super()._enforce(worker_id, timers, now)


@breaks("WATCHDOG-LATENCY", seen="a timer of 3.75 s was to be found by number 4, not 5")
class GivesSomeGrace(LocalBackend):
    """Timers of two to ten seconds have expired three tenths of a second later."""

    server_class = _Lenient

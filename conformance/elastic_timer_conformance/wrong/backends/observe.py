"""Servers that tell wrong things about themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from elastic_timer import LocalTimerServer, TimerRequest
from elastic_timer.clock import Instant
from elastic_timer.events import EventName, TimerEvent

from elastic_timer_conformance.backend import IdleServer
from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks

# Events -------------------------------------------------------------------------------------------


class _TellsAgain(LocalTimerServer):
    def _tell_expired(self, worker_id: Any, timers: Iterable[TimerRequest], now: Instant) -> None:
        super()._tell_expired(worker_id, self.get_expired_timers(now)[worker_id], now)


@breaks("OBSERVE-EVENTS", seen="reported once too often: expired")
class TellsAtEachAttempt(LocalBackend):
    """That a timer has expired is reported at each attempt to reap its worker."""

    server_class = _TellsAgain


class _TellsOfEveryStop(LocalTimerServer):
    def stop(self) -> None:
        was_stopped = self._loop._running is None
        super().stop()
        if was_stopped:
            self._tell("stopped")


@breaks("OBSERVE-EVENTS", seen="reported once too often: stopped")
class TellsOfEveryStop(LocalBackend):
    """Each call of `stop` is reported, also that of a server which has been stopped."""

    server_class = _TellsOfEveryStop


class _TellsOfOne(LocalTimerServer):
    def _tell_expired(self, worker_id: Any, timers: Iterable[TimerRequest], now: Instant) -> None:
        super()._tell_expired(worker_id, list(timers)[:1], now)


@breaks("OBSERVE-EVENTS", seen="not reported: expired")
class TellsOfOneScope(LocalBackend):
    """Of several scopes of a worker that have expired, the first one is reported."""

    server_class = _TellsOfOne


class _TellsOfReleases(LocalTimerServer):
    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        for request in timer_requests:
            if request.expiration_time < 0 and not self._is_armed(request):
                self._tell("expired", request.worker_id, request.scope_id)
        super().register_timers(timer_requests)

    def _is_armed(self, request: TimerRequest) -> bool:
        return (request.worker_id, request.scope_id) in self._timers


@breaks("OBSERVE-EVENTS", seen="scope 'never armed'")
class TakesAReleaseForTooLate(LocalBackend):
    """A release of a timer that is not armed is reported as that of one that has expired."""

    server_class = _TellsOfReleases


class _NeverLate(LocalTimerServer):
    def _reap_worker_no_throw(
        self, worker_id: Any, timer: TimerRequest | None = None, now: Instant | None = None
    ) -> bool:
        return super()._reap_worker_no_throw(worker_id, timer, None)


@breaks("OBSERVE-EVENTS", seen="'reaped' says that the server was 0.0 s late")
class IsNeverLate(LocalBackend):
    """A reap is reported as if the timer had expired only now."""

    server_class = _NeverLate


class _PassesItOn(LocalTimerServer):
    def _tell(
        self,
        name: EventName,
        worker_id: Any = None,
        scope_id: str | None = None,
        lateness: float = 0.0,
        detail: str = "",
    ) -> None:
        if self._on_event is not None:
            self._on_event(TimerEvent(name, worker_id, scope_id, lateness, detail))


@breaks("OBSERVE-EVENTS", seen="what the listener raised has disturbed the server")
class LetsTheListenerRaise(LocalBackend):
    """What the user's function raises is left to whoever caused the event."""

    server_class = _PassesItOn


@breaks("OBSERVE-EVENTS", seen="'expired' says that the server was")
class LosesWholeDays(LocalBackend):
    """Of how late it was the server tells the time of day, and not the days."""

    def observed_server(
        self,
        max_interval: float,
        on_event: Callable[[Any], None],
        reap: Callable[[Any], bool] | None = None,
    ) -> IdleServer:
        def tell(event: TimerEvent) -> None:
            on_event(event._replace(lateness=event.lateness % 86_400.0))

        return super().observed_server(max_interval, tell, reap)


# Health -------------------------------------------------------------------------------------------


class _Frozen(LocalTimerServer):
    started = 0.0

    def start(self) -> None:
        self.started = time.time()
        super().start()

    def get_last_progress_time(self) -> float:
        return self.started


@breaks("OBSERVE-HEALTH", seen="and the last progress is said to have been")
class ProgressIsFrozen(LocalBackend):
    """The last progress is always the start."""

    server_class = _Frozen


class _AlwaysWell(LocalTimerServer):
    def get_last_progress_time(self) -> float:
        return time.time()


@breaks("OBSERVE-HEALTH", seen="progress is told though the watchdog is held up")
class IsAlwaysWell(LocalBackend):
    """The last progress is always now, also of a watchdog that is held up."""

    server_class = _AlwaysWell


class _AsksPolitely(LocalTimerServer):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._reaping = threading.Lock()

    def _reap_for(self, worker_id: int, timer: TimerRequest) -> bool:
        with self._reaping:
            return super()._reap_for(worker_id, timer)

    def get_last_progress_time(self) -> float:
        with self._reaping:
            return super().get_last_progress_time()


@breaks("OBSERVE-HEALTH", seen="asking for the last progress blocks")
class WaitsForTheReaper(LocalBackend):
    """Whoever asks for the last progress waits while a worker is being reaped."""

    server_class = _AsksPolitely


class _NothingYet(LocalTimerServer):
    def get_last_progress_time(self) -> float:
        return super().get_last_progress_time() if self.has_completed else 0.0

    has_completed = False

    def _run_watchdog(self) -> None:
        super()._run_watchdog()
        self.has_completed = True


@breaks("OBSERVE-HEALTH", seen="the server was just started, and its last progress")
class NothingBeforeTheFirst(LocalBackend):
    """Until a watchdog has been completed, the last progress is the epoch."""

    server_class = _NothingYet

"""Wrong answers to the question what has expired."""

from __future__ import annotations

import math
from typing import Any

from elastic_timer import LocalTimerServer, TimerRequest

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.tables import Wheel


class _LessThan(LocalTimerServer):
    def get_expired_timers(self, deadline: float) -> dict[Any, list[TimerRequest]]:
        if type(deadline) is float:  # its watchdog asks for deadlines
            deadline = math.nextafter(deadline, -math.inf)
        return super().get_expired_timers(deadline)


@breaks("SERVER-EXPIRED-INCLUSIVE", seen="asked at the expiration time; then what has")
class LessThan(LocalBackend):
    """A timer that expires at the very time asked for has not expired."""

    server_class = _LessThan


class _InMicroseconds(LocalTimerServer):
    def get_expired_timers(self, deadline: float) -> dict[Any, list[TimerRequest]]:
        if type(deadline) is float and math.isfinite(deadline):
            deadline += 1e-6
        return super().get_expired_timers(deadline)


@breaks("SERVER-EXPIRED-INCLUSIVE", seen="asked one float before the expiration time; then what")
class RoundsUp(LocalBackend):
    """A timer that expires within a microsecond after the time asked for has expired."""

    server_class = _InMicroseconds


class _Answers(Wheel):
    """Wrong answers to others than its own watchdog, about timers of whole seconds."""

    def get_expired_timers(self, deadline: float) -> dict[Any, list[TimerRequest]]:
        expired = super().get_expired_timers(deadline)
        timers = [timer for timers in expired.values() for timer in timers]
        if type(deadline) is not float or math.isinf(deadline) or len(expired) < 2:
            return expired
        if any(self.due_in(timer) is None for timer in timers):
            return expired
        return self._wrong(expired, deadline)

    def _wrong(
        self, expired: dict[Any, list[TimerRequest]], deadline: float
    ) -> dict[Any, list[TimerRequest]]:
        raise NotImplementedError


class _TakesOut(_Answers):
    def _wrong(
        self, expired: dict[Any, list[TimerRequest]], deadline: float
    ) -> dict[Any, list[TimerRequest]]:
        self.release([timer for timers in expired.values() for timer in timers])
        return expired


@breaks("SERVER-EXPIRED-GROUPED", seen="asked once what has expired; then what has expired lacks")
class AskingTakesOut(LocalBackend):
    """What has expired by the time asked for is taken out of the table."""

    server_class = _TakesOut


class _AllWorkers(_Answers):
    def _wrong(
        self, expired: dict[Any, list[TimerRequest]], deadline: float
    ) -> dict[Any, list[TimerRequest]]:
        return {worker: expired.get(worker, []) for worker in super().get_expired_timers(math.inf)}


@breaks("SERVER-EXPIRED-GROUPED", seen="have expired timers, and the keys are")
class AllWorkersAreKeys(LocalBackend):
    """Workers without an expired timer are among the keys too."""

    server_class = _AllWorkers


class _OneOfEach(_Answers):
    def _wrong(
        self, expired: dict[Any, list[TimerRequest]], deadline: float
    ) -> dict[Any, list[TimerRequest]]:
        return {worker_id: timers[:1] for worker_id, timers in expired.items()}


@breaks("SERVER-EXPIRED-GROUPED", seen="then what has expired lacks 'three' of")
class OneTimerOfEachWorker(LocalBackend):
    """Of several expired timers of a worker, one is returned."""

    server_class = _OneOfEach


class _AsOfTheDeadline(_Answers):
    def _wrong(
        self, expired: dict[Any, list[TimerRequest]], deadline: float
    ) -> dict[Any, list[TimerRequest]]:
        return {
            worker_id: [TimerRequest(worker_id, timer.scope_id, deadline) for timer in timers]
            for worker_id, timers in expired.items()
        }


@breaks("SERVER-EXPIRED-GROUPED", seen="then what has expired lacks 'one' of")
class ReturnsTheTimeAskedFor(LocalBackend):
    """Expired timers come back with the time asked for as their expiration time."""

    server_class = _AsOfTheDeadline

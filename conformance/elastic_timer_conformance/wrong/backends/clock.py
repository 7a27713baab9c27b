"""Servers and clients that go by the wrong clock."""

from __future__ import annotations

import ctypes
import time
from typing import Any

from elastic_timer import LocalTimerClient, LocalTimerServer, TimerRequest
from elastic_timer.clock import Instant
from elastic_timer.worker import current_worker

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.tables import OneByOne


class _OnTheWallClock(LocalTimerServer):
    def get_expired_timers(self, deadline: float) -> dict[Any, list[TimerRequest]]:
        return super().get_expired_timers(float(deadline))


@breaks("CLOCK-STEP", seen="after a jump of +3600 s and 0 s more")
class JudgesByTheWallClock(LocalBackend):
    """Timers are judged by the wall clock."""

    server_class = _OnTheWallClock


class _ConvertsOnArrival(OneByOne):
    def _register(self, request: TimerRequest) -> None:
        expiration_time = float(request.expiration_time)
        super()._register(TimerRequest(request.worker_id, request.scope_id, expiration_time))


@breaks("CLOCK-STEP", seen="after a jump of -3600 s and 2 s more")
class ConvertsOnArrival(LocalBackend):
    """The server, and not the client, works out the deadline of an expiration time."""

    server_class = _ConvertsOnArrival


class _RemembersTheOffset(LocalTimerClient):
    def __init__(self, mp_queue: Any, offset: float) -> None:
        super().__init__(mp_queue)
        self._offset = offset

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        expiration = Instant(expiration_time, expiration_time - self._offset)
        self._mp_queue.put(TimerRequest(current_worker(), scope_id, expiration))


@breaks("CLOCK-STEP", seen="s later; it wrote ['step clock'")
class RemembersTheOffset(LocalBackend):
    """A client knows from its server by how much the two clocks differ, and never asks again."""

    def client(self, server: Any) -> Any:
        return _RemembersTheOffset(server.client()._mp_queue, time.time() - time.monotonic())


class _SinglePrecision(OneByOne):
    def _register(self, request: TimerRequest) -> None:
        if request.expiration_time >= 0:
            instant = Instant.of(request.expiration_time, self._clock)
            now = self._clock.monotonic()
            left = ctypes.c_float(instant.monotonic - now).value
            request = TimerRequest(
                request.worker_id, request.scope_id, Instant(instant, now + left)
            )
        super()._register(request)


@breaks("CLOCK-PRECISION", seen="was to have time left, a millisecond before its end")
class KeepsSinglePrecision(LocalBackend):
    """The time left is kept in single precision, so that timers of days end early."""

    server_class = _SinglePrecision

"""Servers to make wrong ones of that are found to be wrong in little.

A table that is wrong is wrong for all that rests upon it. These tell what few tests have to do
with: timers of whole seconds, and what is called by others than the server's own watchdog.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from elastic_timer import LocalTimerServer, TimerRequest

__all__ = ["OneByOne", "Public", "Wheel"]


class OneByOne(LocalTimerServer):
    """Takes over requests one by one, so that something can be done to each."""

    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        with self._table_lock:
            for request in timer_requests:
                try:
                    self._register(request)
                except (AttributeError, TypeError, ValueError) as error:
                    self._refuse(request, error)

    def _register(self, request: TimerRequest) -> None:
        super().register_timers([request])


class Wheel(LocalTimerServer):
    """Knows which timers are due whole seconds from now: in real time there is none."""

    def due_in(self, request: TimerRequest) -> int | None:
        """Return in how many whole seconds a timer is due, if there are no fractions."""
        left = request.expiration_time - self._clock.time()
        seconds = round(left)
        # Times since the epoch are exact to less than a microsecond.
        is_whole = abs(left - seconds) < 1e-6 and request.expiration_time >= 0
        return seconds if is_whole else None

    def armed(self, worker_id: Any) -> list[TimerRequest]:
        timers: list[TimerRequest] = super().get_expired_timers(math.inf).get(worker_id, [])
        return timers

    def release(self, timers: Iterable[TimerRequest]) -> None:
        super().register_timers([TimerRequest(t.worker_id, t.scope_id, -1) for t in timers])


class Public(Wheel):
    """Right for its own watchdog, and wrong for others."""

    in_watchdog = False

    def _run_watchdog(self) -> None:
        self.in_watchdog = True
        try:
            super()._run_watchdog()
        finally:
            self.in_watchdog = False

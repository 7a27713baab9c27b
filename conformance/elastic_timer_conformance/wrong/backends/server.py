"""Wrong servers: starting and stopping."""

from __future__ import annotations

import time
from typing import Any

from elastic_timer import LocalTimerServer, RequestQueue, TimerClient, TimerRequest, TimerServer

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.namespace import WithNames

# Seconds that a wrong start() or stop() takes at the most: above the allowance that the suite has
# for what is known to be wrong, and soon over.
PATIENCE = 2.0

# Seconds without a request, which one that sends without pause does not leave even where it has to
# wait for a processor.
QUIET = 0.5


class _WaitsForTheFirst(LocalTimerServer):
    def start(self) -> None:
        super().start()
        begin, end = self.get_last_progress_time(), time.monotonic() + PATIENCE
        while self.get_last_progress_time() == begin and time.monotonic() < end:
            time.sleep(0.01)


@breaks("SERVER-START-NONBLOCKING", seen="with nothing to wait for")
class StartWaitsForAWatchdog(LocalBackend):
    """`start()` returns when the first watchdog has ended, after two seconds at the latest."""

    server_class = _WaitsForTheFirst


class _WaitsForQuiet(LocalTimerServer):
    _heard_at = 0.0

    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        super().register_timers(timer_requests)
        if timer_requests:
            self._heard_at = time.monotonic()

    def stop(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < min(end, self._heard_at + QUIET):
            time.sleep(0.01)
        super().stop()


@breaks("SERVER-STOP-BOUNDED", seen="while a worker sends without pause")
class StopWaitsForQuiet(LocalBackend):
    """`stop()` waits until nothing has come for half a second, for two seconds at the most."""

    server_class = _WaitsForQuiet


class _GoesOn(LocalTimerServer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if 0.01 < self._max_interval < 0.05:
            run_watchdog = self._loop._watchdog

            def run_three_more_when_stopped() -> None:
                run_watchdog()
                if self._loop._stopped.is_set():
                    for _ in range(3):
                        # So that stop() has returned before the last of them at any rate.
                        time.sleep(0.1)
                        run_watchdog()

            self._loop._watchdog = run_three_more_when_stopped
            # This is all that stop() waits for the loop.
            self._loop._max_interval = 0.0


@breaks("SERVER-STOP-BOUNDED", seen="a watchdog began after stop() had returned")
class LoopGoesOn(LocalBackend):
    """A loop with an interval of 20 ms has three more watchdogs after `stop()` has returned."""

    server_class = _GoesOn


class _ReleasesNothing(TimerClient):
    def release(self, scope_id: str) -> None:
        """Do nothing, unless a backend has something to do."""


@breaks("SERVER-COMPLETE", seen="a subclass of TimerClient has no release()")
class ReleaseIsOptional(WithNames, TimerClient=_ReleasesNothing):
    """A client that cannot release is one all the same."""


class _HasNothing(RequestQueue):
    def get(self, size: int, timeout: float) -> list[TimerRequest]:
        """Return nothing, unless a backend has something."""
        return []


@breaks("SERVER-COMPLETE", seen="a subclass of RequestQueue has no get()")
class GetIsOptional(WithNames, RequestQueue=_HasNothing):
    """A queue that nothing can be got from is one all the same."""


class _CannotReap(TimerServer):
    def _reap_worker(self, worker_id: Any) -> bool:
        raise NotImplementedError


@breaks("SERVER-COMPLETE", seen="a subclass of TimerServer has no _reap_worker()")
class ReapingIsOptional(WithNames, TimerServer=_CannotReap):
    """That a server cannot reap is noticed when it is to."""


class _TakesZero(LocalTimerServer):
    def __init__(self, mp_queue: Any, max_interval: float, **options: Any) -> None:
        super().__init__(mp_queue, max_interval=max_interval or 60.0, **options)


@breaks("SERVER-INVALID", seen="0 s are no interval")
class TakesZeroForTheDefault(LocalBackend):
    """An interval of zero is taken for none, and the default's is used."""

    server_class = _TakesZero


class _AvoidsNegative(LocalTimerServer):
    def __init__(self, mp_queue: Any, max_interval: float, **options: Any) -> None:
        super().__init__(mp_queue, max_interval=abs(max_interval), **options)


@breaks("SERVER-INVALID", seen="-0.5 s are no interval")
class TakesNegativeForPositive(LocalBackend):
    """The sign of an interval is not looked at."""

    server_class = _AvoidsNegative


class _Stays(LocalTimerServer):
    def __init__(self, mp_queue: Any, **options: Any) -> None:
        super().__init__(mp_queue, daemon=False, **options)


@breaks("SERVER-DAEMON", seen="its process is still there")
class StaysUntilItIsStopped(LocalBackend):
    """Whoever forgets to stop a server waits for ever."""

    server_class = _Stays

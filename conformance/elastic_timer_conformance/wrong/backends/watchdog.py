"""Wrong watchdogs."""

from __future__ import annotations

import queue
from typing import Any, ClassVar

from elastic_timer import LocalTimerServer, RequestPipe, RequestQueue, TimerRequest, TimerServer
from elastic_timer.clock import Instant

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.namespace import WithNames
from elastic_timer_conformance.wrong.pipes import ServerOnPipe

# What it reads ------------------------------------------------------------------------------------

# A server that leaves requests unread is wrong in many ways. So most of these backends have a right
# server, and a wrong watchdog for the servers that subclass the interface.


class _Asking(RequestQueue):
    """Stands between a watchdog and its queue, and asks for something else."""

    def __init__(self, request_queue: RequestQueue) -> None:
        self._queue = request_queue

    def size(self) -> int:
        return self._queue.size()

    def get(self, size: int, timeout: float) -> list[TimerRequest]:
        return self._queue.get(size, timeout)

    def wake(self) -> None:
        self._queue.wake()


class _Asks(TimerServer):
    asking: ClassVar[type[_Asking]]

    def __init__(self, request_queue: RequestQueue, max_interval: float, **options: Any) -> None:
        super().__init__(self.asking(request_queue), max_interval, **options)


class _ForOneLess(_Asking):
    def get(self, size: int, timeout: float) -> list[TimerRequest]:
        return super().get(max(1, size - 1), timeout)


class _AsksForOneLess(_Asks):
    asking = _ForOneLess


@breaks("WATCHDOG-BATCH", seen="size() said 2, and get() was called for 1 requests")
class LeavesTheLastOne(WithNames, TimerServer=_AsksForOneLess):
    """A watchdog asks for one request less than there are, if there are several."""


class _Again(_Asking):
    def get(self, size: int, timeout: float) -> list[TimerRequest]:
        requests = super().get(size, timeout)
        return requests + (super().get(size, 0.0) if requests else [])


class _AsksAgain(_Asks):
    asking = _Again


@breaks("WATCHDOG-BATCH", seen="get() is to be called once: the calls were size, get, get")
class LooksForMore(WithNames, TimerServer=_AsksAgain):
    """A watchdog that got requests calls `get` once more, for what has come meanwhile."""


class _Longer(_Asking):
    def get(self, size: int, timeout: float) -> list[TimerRequest]:
        return super().get(size, 2 * timeout)


class _AsksForLonger(_Asks):
    asking = _Longer


@breaks("WATCHDOG-BATCH", seen="max_interval is 0.01 s, and get() was to wait for 0.02 s")
class WaitsForTwoIntervals(WithNames, TimerServer=_AsksForLonger):
    """A watchdog waits for requests for two intervals."""


class _JudgesFirst(TimerServer):
    def _run_watchdog(self) -> None:
        read: list[TimerRequest] = []
        register, self.register_timers = self.register_timers, read.extend  # type: ignore
        super()._run_watchdog()
        register(read)


@breaks("WATCHDOG-BATCH", seen="all is to be registered before any timer is judged")
class JudgesFirst(WithNames, TimerServer=_JudgesFirst):
    """A watchdog registers what it has read when it has judged the timers that it knew."""


class _UpToFifteen(RequestPipe):
    def size(self) -> int:
        return min(super().size(), 15)


@breaks(
    "WATCHDOG-BATCH",
    seen="of 20 requests that were sent, one watchdog left",
    implies={"WATCHDOG-NO-FALSE-REAP": "a release may be among what is left for the next watchdog"},
)
class ReadsUpToFifteen(ServerOnPipe):
    """A watchdog reads up to fifteen requests."""

    pipe_class = _UpToFifteen


# An empty queue -----------------------------------------------------------------------------------


class _RaisesAtFirst(LocalTimerServer):
    is_first = True

    def _run_watchdog(self) -> None:
        is_first, self.is_first = self.is_first, False
        if is_first and not (self._on_event or self._timers or self._request_queue.size()):
            raise queue.Empty
        super()._run_watchdog()


@breaks("WATCHDOG-EMPTY-QUEUE", seen="a watchdog on an empty queue raised Empty()")
class RaisesAtFirst(LocalBackend):
    """The first watchdog of a server without a listener raises if there is nothing to do."""

    server_class = _RaisesAtFirst


class _WaitsAtFirst(LocalTimerServer):
    is_first = True

    def _patience(self, now: Instant, pending: int) -> float:
        is_first, self.is_first = self.is_first, False
        patience = super()._patience(now, pending)
        return 3.0 if is_first and not self._timers else patience


@breaks("WATCHDOG-EMPTY-QUEUE", seen="a watchdog on an empty queue took 3.0")
class WaitsAtFirst(LocalBackend):
    """A server's first watchdog waits for three seconds for something to come."""

    server_class = _WaitsAtFirst


class _Dozes(LocalTimerServer):
    dozing = 0

    def _run_watchdog(self) -> None:
        if self.dozing and not self._request_queue.size():
            self.dozing -= 1
            requests = self._request_queue.get(1, self._max_interval)
            self.register_timers(requests)
            if requests:
                self.dozing = 0
            return
        super()._run_watchdog()
        self.dozing = 0 if self._timers else 2


@breaks("WATCHDOG-EMPTY-QUEUE", seen="a timer has expired while the queue is empty")
class DozesOff(LocalBackend):
    """Once it has nothing to do, a server judges no timer for two watchdogs that read nothing."""

    server_class = _Dozes

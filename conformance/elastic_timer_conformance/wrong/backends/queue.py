"""Wrong request queues."""

from __future__ import annotations

import queue
import time
from typing import Any

from elastic_timer import RequestPipe

from elastic_timer_conformance.backend import OpenQueue
from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks

# What a bare queue does wrong would make its server wrong in many ways at once. So these backends
# have a wrong queue to be looked at, and a server that reads a right one.


class _BareQueue(LocalBackend):
    queue_class: type[RequestPipe] = RequestPipe

    def open_queue(self) -> OpenQueue:
        pipe = self.queue_class()
        return OpenQueue(queue=pipe, producer=pipe)


class _MissesTheLast(RequestPipe):
    def size(self) -> int:
        waiting = super().size()
        return waiting - 1 if waiting > 64 else waiting


@breaks("QUEUE-SIZE", seen="100 requests were sent, and size() is 99")
class MissesTheLastOfMany(_BareQueue):
    """`size()` is one too small when more than 64 requests wait."""

    queue_class = _MissesTheLast


class _Flickers(RequestPipe):
    last = 0

    def size(self) -> int:
        waiting = super().size()
        self.last = waiting - 1 if waiting > 120 and self.last == waiting else waiting
        return self.last


@breaks("QUEUE-SIZE-STABLE", seen="size() shrank though nobody called get()")
class SizeFlickers(_BareQueue):
    """`size()` is one less every other time when more than 120 requests wait."""

    queue_class = _Flickers


class _OneTooMany(RequestPipe):
    def get(self, size: int, timeout: float) -> list[Any]:
        return super().get(size + 1 if size < self.size() else size, timeout)


@breaks("QUEUE-GET-BOUNDED", seen="[0, 1, 2] == [0, 1]")
class OneTooManyInABatch(_BareQueue):
    """`get(size)` returns one request more than it was asked for, if there is one."""

    queue_class = _OneTooMany


class _TimeoutForEach(RequestPipe):
    def get(self, size: int, timeout: float) -> list[Any]:
        requests: list[Any] = []
        # Not for all ten thousand that a test asks for: it would take minutes.
        for _ in range(min(size, 40)):
            one = super().get(1, timeout)
            if not one:
                break
            requests += one
        return requests if len(requests) < 40 else requests + super().get(size - 40, 0.0)


@breaks("QUEUE-GET-TIMEOUT", seen="get(10_000, timeout=0.3) took")
class TimeoutForEachRequest(_BareQueue):
    """The timeout of `get` begins anew with each of the first forty requests."""

    queue_class = _TimeoutForEach


class _SleepsFirst(RequestPipe):
    def get(self, size: int, timeout: float) -> list[Any]:
        if size >= 5 and self.size() >= size:
            time.sleep(min(timeout, 2.0))
        return super().get(size, timeout)


@breaks("QUEUE-GET-EARLY", seen="with 5 requests there")
class WaitsThoughItHasEnough(_BareQueue):
    """`get` of five or more waits for two seconds even if there are as many."""

    queue_class = _SleepsFirst


class _EndsAtAGap(RequestPipe):
    def get(self, size: int, timeout: float) -> list[Any]:
        requests = super().get(1, timeout)
        while requests and len(requests) < size:
            more = super().get(size - len(requests), min(timeout, 0.01))
            if not more:
                break
            requests += more
        return requests


@breaks("QUEUE-GET-COLLECTS", seen="[0] == [0, 1, 2, 3, 4]")
class EndsAtAGap(_BareQueue):
    """`get` returns what it has when nothing has come for 10 ms."""

    queue_class = _EndsAtAGap


class _RaisesWhenEmpty(RequestPipe):
    def get(self, size: int, timeout: float) -> list[Any]:
        requests = super().get(size, timeout)
        if not requests and timeout == 0:
            raise queue.Empty
        return requests


@breaks("QUEUE-GET-EMPTY", seen="Empty")
class RaisesWhenEmpty(_BareQueue):
    """`get` with a timeout of zero raises `queue.Empty` when nothing has come."""

    queue_class = _RaisesWhenEmpty


class _NeverWithoutWaiting(RequestPipe):
    def get(self, size: int, timeout: float) -> list[Any]:
        return super().get(size, timeout) if timeout > 0 else []


@breaks("QUEUE-GET-ZERO-TIMEOUT", seen="get(5, timeout=0) gave 0 of 5 requests")
class NothingWithoutWaiting(_BareQueue):
    """`get` with a timeout of zero returns nothing, whatever is there."""

    queue_class = _NeverWithoutWaiting


class _LastFirst(RequestPipe):
    def get(self, size: int, timeout: float) -> list[Any]:
        requests = super().get(size, timeout)
        return requests[::-1] if len(requests) > 5 and "/" in requests[0].scope_id else requests


@breaks("QUEUE-ORDER", seen="requests came in another order")
class ReordersUnderLoad(_BareQueue):
    """When more than five requests of workers are read at once, the last comes first."""

    queue_class = _LastFirst


class _AlsoAgain(RequestPipe):
    read = 0

    def get(self, size: int, timeout: float) -> list[Any]:
        requests = super().get(size, timeout)
        before, self.read = self.read, self.read + len(requests)
        # The second of the two is the 3,001st that was read.
        return requests + requests[-1:] if before < 3000 <= self.read else requests


@breaks("QUEUE-EXACTLY-ONCE", seen="came more often than they were sent")
class OneComesTwice(_BareQueue):
    """Of some thousands of requests, one comes twice."""

    queue_class = _AlsoAgain


class _Forgets(RequestPipe):
    read = 0

    def get(self, size: int, timeout: float) -> list[Any]:
        requests = super().get(size, timeout)
        before, self.read = self.read, self.read + len(requests)
        return requests[:-1] if before < 3000 <= self.read else requests


@breaks("QUEUE-EXACTLY-ONCE", seen="requests that were sent and did not come")
class OneIsLost(_BareQueue):
    """Of some thousands of requests, one is lost."""

    queue_class = _Forgets

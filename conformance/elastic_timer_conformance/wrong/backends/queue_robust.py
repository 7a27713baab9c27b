"""Wrong request queues that show it when producers fail, stop, or are not read."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import time
from contextlib import suppress
from typing import Any

from elastic_timer import LocalTimerClient, LocalTimerServer, RequestPipe, TimerRequest
from elastic_timer.errors import RequestQueueFullError
from elastic_timer.line_reader import MalformedRequestError
from elastic_timer.waiting import wait_readable

from elastic_timer_conformance.backend import OpenQueue
from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.clients import WithClient


class _InBatches:
    """Sends the first twenty requests one by one, and then ten at a time."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._sent = 0
        self._waiting: list[Any] = []

    def put(self, request: Any) -> None:
        self._sent += 1
        self._waiting.append(request)
        if self._sent <= 20 or len(self._waiting) == 10:
            for waiting in self._waiting:
                self._writer.put(waiting)
            self._waiting.clear()


@breaks("QUEUE-KILLED-PRODUCER", seen="requests lost, of each producer")
class SendsInBatches(LocalBackend):
    """A busy producer keeps its requests until there are ten, and loses them when it is killed."""

    def open_queue(self) -> OpenQueue:
        pipe = self.make_queue()
        return OpenQueue(pipe, _InBatches(pipe))


class _OneAtATime(LocalTimerClient):
    """Holds a lock while it sends."""

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        with self.lock():
            super().acquire(scope_id, expiration_time)

    def release(self, scope_id: str) -> None:
        with self.lock():
            super().release(scope_id)

    def lock(self) -> Any:
        """Return a context in which nobody else sends."""
        raise NotImplementedError


class _WithASemaphore(_OneAtATime):
    def __init__(self, mp_queue: Any, semaphore: Any) -> None:
        super().__init__(mp_queue)
        self._semaphore = semaphore

    def lock(self) -> Any:
        return self._semaphore


@breaks(
    "QUEUE-KILLED-PRODUCER",
    seen="after others were killed in the middle of sending, has not come back from `acquire`",
    implies={
        "QUEUE-STALLED-PRODUCER": "one that is stopped while it sends does not free the lock either"
    },
)
class TakesItsLockAlong(LocalBackend):
    """Producers take turns by a semaphore, which one that is killed while it sends leaves locked.

    It is what a `multiprocessing.Queue` does.
    """

    def make_server(self, max_interval: float, **options: Any) -> Any:
        server = super().make_server(max_interval, **options)
        server.semaphore = multiprocessing.Lock()
        return server

    def client(self, server: Any) -> Any:
        return _WithASemaphore(server.client()._mp_queue, server.semaphore)


class _WithAFileLock(_OneAtATime):
    """The kernel takes its lock from the dead."""

    def lock(self) -> Any:
        # Under this name the pipe is opened anew, and the lock belongs to what was opened.
        pipe: Any = self._mp_queue
        lock = open(f"/proc/self/fd/{pipe._fd}", "wb", buffering=0)  # noqa: SIM115
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock


@breaks(
    "QUEUE-STALLED-PRODUCER",
    seen="after others were stopped in the middle of sending, has not come back from `acquire`",
)
class OneSenderAtATime(WithClient):
    """Producers take turns: one that stops while it sends keeps all others from sending."""

    client_class = _WithAFileLock


class _WaitsForTheRest(RequestPipe):
    def _receive(self) -> None:
        super()._receive()
        if self._reader._rest and not wait_readable(self._read_fd, 0):
            # Longer than a worker that hangs has in the tests until it has to be dead.
            time.sleep(3)


@breaks("QUEUE-STALLED-PRODUCER", seen="is alive")
class WaitsForTheRest(LocalBackend):
    """The server gives whoever has sent half a request some seconds for the rest of it."""

    def make_queue(self) -> Any:
        return _WaitsForTheRest()


class _GivesUpTheRest(RequestPipe):
    def _take(self, data: bytes) -> None:
        requests, malformed = self._reader.feed(data)
        self._received.extend(requests[:1] if malformed else requests)
        for error in malformed:
            self.on_malformed(error)


@breaks("QUEUE-MALFORMED", seen="['before'] were served")
class GivesUpTheRest(LocalBackend):
    """What is no request costs those that are read with it, except for the first."""

    def make_queue(self) -> Any:
        return _GivesUpTheRest()


class _SkipsInSilence(LocalTimerServer):
    def _report_malformed(self, problem: object) -> None:
        if not isinstance(problem, MalformedRequestError):
            super()._report_malformed(problem)


@breaks("QUEUE-MALFORMED", seen="nothing was logged about")
class SkipsInSilence(LocalBackend):
    """What is no request is skipped, and nobody is told."""

    server_class = _SkipsInSilence


class _KeepsWhatIsRefused(LocalTimerClient):
    """Keeps requests in memory once the pipe was full for as long as the client waits."""

    def __init__(self, mp_queue: Any) -> None:
        super().__init__(mp_queue)
        self._kept: list[TimerRequest] = []
        self._send, self._mp_queue = mp_queue.put, self

    def __reduce__(self) -> Any:
        return type(self), (self._send.__self__,)

    def put(self, request: TimerRequest) -> None:
        self._kept.append(request)
        if len(self._kept) > 1 and not self._has_room():
            return
        with suppress(RequestQueueFullError):
            while self._kept:
                self._send(self._kept[0])
                self._kept.pop(0)

    def _has_room(self) -> bool:
        try:
            os.write(self._send.__self__._fd, b"\n" * 4096)
        except BlockingIOError:
            return False
        return True


@breaks("QUEUE-BACKPRESSURE", seen="made the worker's memory grow")
class KeepsWhatIsRefused(WithClient):
    """Requests for which the pipe has no room are kept in the worker's memory, however many."""

    client_class = _KeepsWhatIsRefused

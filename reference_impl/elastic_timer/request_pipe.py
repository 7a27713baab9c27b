"""A request queue in a pipe: many writers, no lock, no feeder thread.

A request is one line, written with one ``write`` of at most ``PIPE_BUF`` bytes, which pipe(7)
makes atomic: writers cannot mix, and one that is killed leaves all of its request or nothing.
When :meth:`RequestPipe.put` returns, the request is in the kernel, so nothing that the worker does
or suffers after that can hold it back (CLIENT-ARMED).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import select
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from .api import RequestQueue, TimerRequest
from .errors import RequestQueueFullError, RequestTooLargeError, ServerUnavailableError
from .request_line import MalformedRequestError, RequestReader, request_line

__all__ = ["RequestPipe", "RequestPipeWriter"]

logger = logging.getLogger(__name__)

_CAPACITY = 1 << 20
"""Bytes that the pipe is asked to hold: the kernel's limit for an unprivileged user, and enough
for about ten thousand requests while the server cannot read."""

_PUT_TIMEOUT = 5.0
"""Seconds that a full pipe holds up a worker before it is told. A server reads the whole pipe
within milliseconds, so one that has not done so for this long is stopped or dead."""


class RequestPipeWriter:
    """The writing end of a :class:`RequestPipe`: all that a worker needs.

    Args:
        fd: the pipe's writing end, non-blocking.
        put_timeout: seconds to wait for room in a full pipe.
    """

    def __init__(self, fd: int, put_timeout: float = _PUT_TIMEOUT) -> None:
        self._fd = fd
        self._put_timeout = put_timeout

    def put(self, request: TimerRequest) -> None:
        """Send a request; it is in the kernel when this returns.

        Raises:
            RequestTooLargeError: the scope is too long (see REQUEST-OVERSIZE); nothing was sent.
            RequestQueueFullError: no room within ``put_timeout``; nothing was sent.
            ServerUnavailableError: nobody reads the pipe any more.
        """
        line = request_line(request)
        if len(line) > select.PIPE_BUF:
            raise RequestTooLargeError(
                f"the request takes {len(line)} bytes and a pipe carries at most {select.PIPE_BUF} "
                f"whole: use a shorter scope than {request.scope_id[:40]!r}… "
                f"({len(request.scope_id)} characters)"
            )
        try:
            os.write(self._fd, line)
        except BlockingIOError:
            self._write_when_there_is_room(line)
        except BrokenPipeError:
            raise _unavailable() from None

    def _write_when_there_is_room(self, line: bytes) -> None:
        deadline = time.monotonic() + self._put_timeout
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while (remaining := deadline - time.monotonic()) > 0:
            poll.poll(remaining * 1000)
            try:
                os.write(self._fd, line)
            except BlockingIOError:
                continue  # another writer was faster
            except BrokenPipeError:
                raise _unavailable() from None
            return
        raise RequestQueueFullError(
            errno.ETIMEDOUT,
            f"the timer server has not read its request pipe for {self._put_timeout} s; "
            "is its process stopped, or starved of processor time?",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_writer, (_duplicate(self._fd), self._put_timeout)


def _unavailable() -> ServerUnavailableError:
    return ServerUnavailableError(
        errno.EPIPE, "no timer server reads this worker's requests any more: has it ended?"
    )


class RequestPipe(RequestQueue):
    """A :class:`~elastic_timer.RequestQueue` that worker processes write to directly.

    Hand the pipe, or only its :meth:`writer`, to a worker as an argument of its
    ``multiprocessing`` process, under any start method. One server reads it.

    Args:
        put_timeout: seconds that :meth:`put` waits for room in a full pipe before it raises
            (QUEUE-BACKPRESSURE).
    """

    def __init__(self, put_timeout: float = _PUT_TIMEOUT) -> None:
        self._open(*os.pipe(), put_timeout)
        with contextlib.suppress(OSError):  # the user's share of pipe memory may be used up
            fcntl.fcntl(self._write_fd, fcntl.F_SETPIPE_SZ, _CAPACITY)

    def _open(self, read_fd: int, write_fd: int, put_timeout: float) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._writer = RequestPipeWriter(write_fd, put_timeout)
        self.on_malformed: Callable[[MalformedRequestError], None] = _log_malformed
        self._reader = RequestReader()
        self._received: deque[TimerRequest] = deque()
        self._reading = threading.Lock()
        self._woken = False
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)
        self._finalizer = weakref.finalize(self, _close, read_fd, write_fd)

    def put(self, request: TimerRequest) -> None:
        """Send a request; see :meth:`RequestPipeWriter.put`."""
        self._writer.put(request)

    def writer(self) -> RequestPipeWriter:
        """Return the writing end alone, which does not keep the pipe readable.

        Only with this do workers learn that their server is gone (CLIENT-UNAVAILABLE). It is valid
        as long as this pipe, or in a worker that it was handed to.
        """
        return self._writer

    def size(self) -> int:
        """Return how many requests a ``get`` could return now."""
        with self._reading:
            self._receive()
            return len(self._received)

    def get(self, size: int, timeout: float) -> list[TimerRequest]:
        """Return up to ``size`` requests: as soon as there are that many, or after ``timeout``."""
        deadline = time.monotonic() + timeout
        with self._reading:
            if len(self._received) < size:
                self._receive()
            while len(self._received) < size and not self._woken:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    break
                self._wait(remaining)
                self._receive()
            self._woken = False
            count = min(size, len(self._received))
            return [self._received.popleft() for _ in range(count)]

    def wake(self) -> None:
        """Make a waiting ``get`` return with what it has."""
        self._woken = True
        with contextlib.suppress(OSError):  # a full pipe wakes its reader by itself
            os.write(self._write_fd, b"\n")

    def close_reader(self) -> None:
        """Close the reading end in this process: a copy that a fork made, and nobody reads from.

        As long as any process holds a reading end, writers cannot notice that the server is gone.
        """
        self._finalizer.detach()
        _close(self._read_fd)
        self._read_fd = -1

    def _wait(self, seconds: float) -> None:
        poll = select.poll()
        poll.register(self._read_fd, select.POLLIN)
        poll.poll(seconds * 1000)

    def _receive(self) -> None:
        """Take in what the kernel holds: at least all that was there when this was called.

        It stops after one pipeful, so that a flood cannot keep it here.
        """
        received = 0
        while received < _CAPACITY:
            try:
                data = os.read(self._read_fd, _CAPACITY)
            except BlockingIOError:
                return
            received += len(data)
            requests, malformed = self._reader.feed(data)
            self._received.extend(requests)
            for error in malformed:
                self.on_malformed(error)

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_pipe, (
            _duplicate(self._read_fd),
            _duplicate(self._write_fd),
            self._writer._put_timeout,
        )


def _log_malformed(error: MalformedRequestError) -> None:
    logger.warning("%s", error)


def _close(*fds: int) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def _duplicate(fd: int) -> Any:
    from multiprocessing.reduction import DupFd

    return DupFd(fd)


def _open_writer(duplicate: Any, put_timeout: float) -> RequestPipeWriter:
    writer = RequestPipeWriter(duplicate.detach(), put_timeout)
    weakref.finalize(writer, _close, writer._fd)
    return writer


def _open_pipe(read: Any, write: Any, put_timeout: float) -> RequestPipe:
    pipe = RequestPipe.__new__(RequestPipe)
    pipe._open(read.detach(), write.detach(), put_timeout)
    return pipe

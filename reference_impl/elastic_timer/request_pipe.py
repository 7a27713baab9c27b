"""A request queue in a pipe: many writers, no lock, no feeder thread.

A request is one line, written with one ``write`` of at most ``PIPE_BUF`` bytes, which pipe(7)
makes atomic: writers cannot mix, and one that is killed leaves all of its request or nothing.
When :meth:`RequestPipe.put` returns, the request is in the kernel, so nothing that the worker does
or suffers after that can hold it back (CLIENT-ARMED).
"""

from __future__ import annotations

import errno
import os
import weakref
from typing import Any

from .api import TimerRequest
from .errors import ServerUnavailableError
from .pipe_queue import PipeQueue, close_descriptors
from .pipe_writing import PATIENCE, check_length, write_whole
from .request_line import RequestReader, request_line

__all__ = ["RequestPipe", "RequestPipeWriter"]


class RequestPipeWriter:
    """The writing end of a :class:`RequestPipe`: all that a worker needs.

    Args:
        fd: the pipe's writing end, non-blocking.
        put_timeout: seconds to wait for room in a full pipe.
    """

    def __init__(self, fd: int, put_timeout: float = PATIENCE) -> None:
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
        check_length(line, request.scope_id)
        try:
            write_whole(self._fd, line, self._put_timeout)
        except BrokenPipeError:
            raise _unavailable() from None

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_writer, (_duplicate(self._fd), self._put_timeout)


def _unavailable() -> ServerUnavailableError:
    return ServerUnavailableError(
        errno.EPIPE, "no timer server reads this worker's requests any more: has it ended?"
    )


class RequestPipe(PipeQueue):
    """A :class:`~elastic_timer.RequestQueue` that worker processes write to directly.

    Hand the pipe, or only its :meth:`writer`, to a worker as an argument of its
    ``multiprocessing`` process, under any start method. One server reads it.

    Args:
        put_timeout: seconds that :meth:`put` waits for room in a full pipe before it raises
            (QUEUE-BACKPRESSURE).
    """

    def __init__(self, put_timeout: float = PATIENCE) -> None:
        self._open(*os.pipe(), put_timeout)

    def _open(self, read_fd: int, write_fd: int, put_timeout: float) -> None:
        super().__init__(RequestReader())
        self._attach(read_fd, write_fd)
        self._writer = RequestPipeWriter(write_fd, put_timeout)
        self._finalizer = weakref.finalize(self, close_descriptors, read_fd, write_fd)

    def put(self, request: TimerRequest) -> None:
        """Send a request; see :meth:`RequestPipeWriter.put`."""
        self._writer.put(request)

    def writer(self) -> RequestPipeWriter:
        """Return the writing end alone, which does not keep the pipe readable.

        Only with this do workers learn that their server is gone (CLIENT-UNAVAILABLE). It is valid
        as long as this pipe, or in a worker that it was handed to.
        """
        return self._writer

    def close_copy(self) -> None:
        """Close the reading end that a fork copied; the writing end stays the worker's."""
        self._finalizer.detach()
        super().close_copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_pipe, (
            _duplicate(self._read_fd),
            _duplicate(self._write_fd),
            self._writer._put_timeout,
        )


def _duplicate(fd: int) -> Any:
    from multiprocessing.reduction import DupFd

    return DupFd(fd)


def _open_writer(duplicate: Any, put_timeout: float) -> RequestPipeWriter:
    writer = RequestPipeWriter(duplicate.detach(), put_timeout)
    weakref.finalize(writer, close_descriptors, writer._fd)
    return writer


def _open_pipe(read: Any, write: Any, put_timeout: float) -> RequestPipe:
    pipe = RequestPipe.__new__(RequestPipe)
    pipe._open(read.detach(), write.detach(), put_timeout)
    return pipe

"""A worker's side of the timers through a named pipe, whoever's server reads it."""

from __future__ import annotations

import errno
import math
import os
import signal as signals
import stat
import time
from typing import Any

from .api import TimerClient
from .clock import Instant, acquirable
from .errors import ServerUnavailableError
from .file_timer_request import FileTimerRequest
from .named_pipe import has_locking_reader
from .pipe_queue import close_descriptors
from .pipe_writing import PATIENCE, check_length, write_whole
from .worker import current_worker

__all__ = ["FileTimerClient"]

_OPEN_TIMEOUT = 1.0
"""Seconds for which a client waits for a server at the pipe: as long as PyTorch's, which tries ten
times, so that a worker may start a little before its server."""

_OPEN_INTERVAL = 0.01
"""Seconds between two tries; a server that is being restarted is away for about as long."""


class FileTimerClient(TimerClient):
    """A worker's client of a :class:`FileTimerServer`, ours or PyTorch's, on the same host.

    It identifies the process that uses it, whoever made it: it can be handed to a worker under any
    start method, and a forked child may go on using its parent's (CLIENT-FORK). Each request is
    written whole with one call, so it needs no lock between threads (CLIENT-THREADS).

    Args:
        file_path: the path of the server's named pipe.
        signal: the signal that a timer of this client reaps its worker with; with zero or less,
            the server lets the worker be and only tells that the timer has expired.
    """

    def __init__(self, file_path: str | os.PathLike[str], signal: int = signals.SIGKILL) -> None:
        super().__init__()
        self._file_path = os.path.abspath(file_path)  # the worker may change its directory
        self.signal = signal
        self._writing_end: _WritingEnd | None = None

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        """Arm the calling worker's timer for ``scope_id``.

        Args:
            scope_id: any text of up to 2,600 bytes of UTF-8; of ASCII, up to about 3,600.
            expiration_time: seconds since the epoch; it is taken to the monotonic clock at once.

        Raises:
            ValueError: the time is negative, NaN or infinite; nothing was sent.
            RequestTooLargeError: the scope is too long; nothing was sent.
            RequestQueueFullError: the server has not read for 5 seconds; nothing was sent.
            ServerUnavailableError: no server reads the pipe, or came to do so within a second;
                nothing was sent.
        """
        self._send_request(
            FileTimerRequest(current_worker(), scope_id, acquirable(expiration_time), self.signal)
        )

    def release(self, scope_id: str) -> None:
        """Disarm the calling worker's timer for ``scope_id``, if it is armed.

        Raises:
            RequestTooLargeError, RequestQueueFullError, ServerUnavailableError: see
                :meth:`acquire`.
        """
        self._send_request(FileTimerRequest(current_worker(), scope_id, -1))

    def _send_request(self, request: FileTimerRequest) -> None:
        line = _stamped(request).to_json().encode("ascii") + b"\n"
        check_length(line, request.scope_id)
        deadline = time.monotonic() + _OPEN_TIMEOUT
        end = self._writing_end
        while True:
            if end is None or end.is_replaced(self._file_path):
                end = self._open(deadline)
            try:
                write_whole(end.fd, line, PATIENCE)
            except BrokenPipeError:
                if time.monotonic() >= deadline:
                    raise self._unavailable() from None
                end = None  # its server is gone; there may be another one at the path
            else:
                self._writing_end = end if end.may_stay_open else None
                return

    def _open(self, deadline: float) -> _WritingEnd:
        while True:
            try:
                return _WritingEnd(self._file_path)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENXIO):
                    raise
            if time.monotonic() >= deadline:
                raise self._unavailable()
            time.sleep(_OPEN_INTERVAL)

    def _unavailable(self) -> ServerUnavailableError:
        return ServerUnavailableError(
            errno.EPIPE,
            f"no timer server has read this pipe for {_OPEN_TIMEOUT} s: "
            "has it ended, or not been started?",
            self._file_path,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_writing_end": None}


def _stamped(request: FileTimerRequest) -> FileTimerRequest:
    """Return a request that knows its deadline: the wall clock may jump while it is under way."""
    expiration = request.expiration_time
    if type(expiration) is Instant or not 0 <= expiration < math.inf:
        return request
    return FileTimerRequest(
        request.worker_pid, request.scope_id, Instant.of(expiration), request.signal
    )


class _WritingEnd:
    """A named pipe that is open for writing, until nobody refers to it any more.

    Each request holds on to the one that it uses: so the descriptor cannot be closed, and become
    another file's, while a request is being written by another thread.
    """

    __slots__ = ("_identity", "fd", "may_stay_open")

    def __init__(self, path: str) -> None:
        self.fd = -1
        # Without a reader, this fails with ENXIO instead of waiting for one.
        self.fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        status = os.fstat(self.fd)
        if not stat.S_ISFIFO(status.st_mode):
            raise ServerUnavailableError(errno.EPIPE, "this is no timer server's pipe", path)
        if status.st_uid not in (os.geteuid(), 0):
            raise PermissionError(
                errno.EPERM, f"this named pipe belongs to the user {status.st_uid}", path
            )
        self._identity = status.st_dev, status.st_ino
        # A server of PyTorch's reads by lines, and judges no timer while any client has the pipe
        # open and writes nothing.
        self.may_stay_open = has_locking_reader(self.fd)

    def is_replaced(self, path: str) -> bool:
        """Tell whether there is another pipe at the path by now: a server has made a new one."""
        try:
            status = os.stat(path)
        except OSError:
            return False  # whoever reads this one still does; else writing will tell
        return (status.st_dev, status.st_ino) != self._identity

    def __del__(self) -> None:
        close_descriptors(self.fd)

"""A request queue that reads lines from a pipe, whoever made the pipe."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable

from .api import RequestQueue, TimerRequest
from .line_reader import LineReader, MalformedRequestError
from .waiting import wait_readable

__all__ = ["PipeQueue", "close_descriptors"]

logger = logging.getLogger(__name__)

_CAPACITY = 1 << 20
"""Bytes that a pipe is asked to hold: the kernel's limit for an unprivileged user, and enough
for thousands of requests while the server cannot read."""


class PipeQueue(RequestQueue):
    """A :class:`~elastic_timer.RequestQueue` at the reading end of a pipe.

    It never waits for the rest of a line, so a writer that stalls in the middle of one delays
    nobody (QUEUE-STALLED-PRODUCER). It holds a writing end of its own: the pipe has no end of
    file while no worker has it open, and a server that waits can be woken.

    Args:
        reader: makes requests of the lines.
    """

    def __init__(self, reader: LineReader) -> None:
        self._reader = reader
        self._received: deque[TimerRequest] = deque()
        # Reentrant: whoever is told of something malformed may stop the server.
        self._reading = threading.RLock()
        self._woken = False
        self._read_fd = -1
        self._write_fd = -1
        self.on_malformed: Callable[[MalformedRequestError], None] = _log_malformed

    def _attach(self, read_fd: int, write_fd: int) -> None:
        """Begin to read a pipe."""
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)
        self._read_fd = read_fd
        self._write_fd = write_fd
        with contextlib.suppress(OSError):  # the user's share of pipe memory may be used up
            fcntl.fcntl(write_fd, fcntl.F_SETPIPE_SZ, _CAPACITY)

    def size(self) -> int:
        """Return how many requests a ``get`` could return now."""
        with self._reading:
            self._receive()
            return len(self._received)

    def get(self, size: int, timeout: float) -> list[TimerRequest]:
        """Return up to ``size`` requests: as soon as there are that many, or after ``timeout``."""
        deadline = time.monotonic() + timeout
        with self._reading:
            while len(self._received) < size and not self._woken and self._read_fd >= 0:
                remaining = deadline - time.monotonic()
                if wait_readable(self._read_fd, max(0.0, remaining)):
                    self._receive()
                if remaining <= 0:
                    break
            self._woken = False
            if len(self._received) <= size:
                requests = list(self._received)
                self._received.clear()
                return requests
            return [self._received.popleft() for _ in range(size)]

    def wake(self) -> None:
        """Make a waiting ``get`` return with what it has."""
        self._woken = True
        with contextlib.suppress(OSError):  # a full pipe wakes its reader by itself
            os.write(self._write_fd, b"\n")

    def read_here_only(self) -> None:
        """Have processes that are forked from now on close their copy of the reading end.

        As long as any process holds one, writers cannot notice that the server is gone. A server's
        thread does not survive a fork, so nobody would read there.
        """
        _read_here_only.add(self)

    def close_copy(self) -> None:
        """Close the reading end that a fork copied into this process."""
        close_descriptors(self._read_fd)
        self._read_fd = -1

    def _receive(self) -> None:
        """Take in what the kernel holds: at least all that was there when this was called.

        It stops after one pipeful, so that a flood cannot keep it here.
        """
        received = 0
        while received < _CAPACITY and self._read_fd >= 0:
            try:
                data = os.read(self._read_fd, _CAPACITY)
            except BlockingIOError:
                return
            if not data:
                return
            received += len(data)
            self._take(data)

    def _take(self, data: bytes) -> None:
        requests, malformed = self._reader.feed(data)
        self._received.extend(requests)
        for error in malformed:
            self.on_malformed(error)


def close_descriptors(*fds: int) -> None:
    """Close what is open of these."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def _log_malformed(error: MalformedRequestError) -> None:
    logger.warning("%s", error)


_read_here_only: weakref.WeakSet[PipeQueue] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for queue in list(_read_here_only):
        queue.close_copy()
    _read_here_only.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)

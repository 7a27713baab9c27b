"""The bell: a named pipe by which workers call a server to their tables in shared memory.

What goes through it says no more than which table to look into. The server may look into more, at
any time, without harm, so whatever is wrong with the bell is met by looking into all of them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path

from .errors import ServerUnavailableError
from .shared_table import MalformedTableError
from .waiting import wait_readable
from .worker import WorkerId

__all__ = ["Bell", "BellListener", "ring_of"]

_NAME = "bell"
_RING = struct.Struct("=qq")  # pid and start time; far below PIPE_BUF, so written whole
_WAKE = _RING.pack(0, 0)

_LARGEST_PID = 1 << 22
"""No process of Linux has a larger number (PID_MAX_LIMIT in the kernel's source)."""


def ring_of(worker_id: WorkerId) -> bytes:
    """Return what a worker writes into the bell."""
    return _RING.pack(worker_id, worker_id.start_time)


class Bell:
    """The worker's end of the bell.

    Args:
        directory: where the tables are.

    Raises:
        ServerUnavailableError: no server has ever served this directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        try:
            # Open for reading too, so that rings wait for the next server while there is none.
            self._fd = os.open(directory / _NAME, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ServerUnavailableError(
                errno.ENOENT, f"no timer server serves the directory {directory}: start one first"
            ) from None

    def ring(self, worker_id: WorkerId) -> None:
        """Tell the server to look into a worker's table; if it is away, its replacement will.

        Raises:
            ServerUnavailableError: there cannot be one, because the directory was removed.
        """
        if os.fstat(self._fd).st_nlink == 0:
            raise ServerUnavailableError(
                errno.ENOENT,
                f"the timer server's directory {self._directory} was removed while this process "
                "used it: nobody can find its timers any more",
            )
        # A bell that is full has been rung enough: the server then looks into every table.
        with contextlib.suppress(BlockingIOError):
            os.write(self._fd, ring_of(worker_id))

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)


class BellListener:
    """The server's end of the bell, which it makes if there is none.

    Args:
        directory: where the tables are.
        on_malformed: is told of what is no ring.
    """

    def __init__(
        self, directory: Path, on_malformed: Callable[[MalformedTableError], object]
    ) -> None:
        self._on_malformed = on_malformed
        with contextlib.suppress(FileExistsError):
            os.mkfifo(directory / _NAME, 0o600)
        self._fd = os.open(directory / _NAME, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        # The kernel gives less to a user who has many pipes; see pipe(7).
        self._capacity = fcntl.fcntl(self._fd, fcntl.F_GETPIPE_SZ)

    def rung(self) -> list[WorkerId] | None:
        """Return who has rung since the last call; ``None`` if that is not to be known."""
        try:
            rings = os.read(self._fd, self._capacity)
        except BlockingIOError:
            return []
        workers: list[WorkerId] = []
        is_malformed = len(rings) % _RING.size != 0
        # Two processes may have had one pid, so these are told apart before they are workers.
        for pid, started in set(_RING.iter_unpack(rings[: len(rings) // _RING.size * _RING.size])):
            if 0 < pid <= _LARGEST_PID and started >= 0:
                workers.append(WorkerId(pid, started))
            elif (pid, started) != (0, 0):
                is_malformed = True
        if is_malformed:
            self._on_malformed(
                MalformedTableError(f"what was rung is not the name of a worker: {rings!r:.200}")
            )
        # A page of a pipe takes no ring when there is less room in it than that, so one may have
        # been refused although not every byte was used; half of them always are.
        is_full = len(rings) >= self._capacity // 2
        return None if is_malformed or is_full else workers

    def wait(self, timeout: float) -> bool:
        """Wait until somebody rings, or ``timeout`` seconds; return whether somebody has."""
        return wait_readable(self._fd, timeout)

    def wake(self) -> None:
        """Make :meth:`wait` return."""
        with contextlib.suppress(OSError):
            os.write(self._fd, _WAKE)

    def close(self) -> None:
        """Give the descriptor back; the bell stays where it is."""
        os.close(self._fd)

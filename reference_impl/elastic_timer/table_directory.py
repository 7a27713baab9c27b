"""A directory of shared tables as a request queue: what changed in them, as requests.

A server looks into a table when its earliest deadline has come, and when the worker has rung the
bell: a named pipe into which a worker writes who it is after it stored a deadline that is earlier
than what the server knows of. All other changes can wait until then, because they only put off
what the server would do. So the server reads nothing while nothing expires.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import heapq
import math
import os
import select
import stat
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from .api import RequestQueue, TimerRequest
from .clock import Clock
from .errors import ServerRunningError, ServerUnavailableError
from .shared_table import MalformedTableError, table_name, worker_of
from .table_reader import TableReader
from .worker import UNKNOWN, WorkerId, start_time

__all__ = ["Bell", "TableDirectory", "private_directory"]

_RING = struct.Struct("=qq")  # pid and start time; far below PIPE_BUF, so written whole
_ALL_RINGS = 1 << 16
"""Bytes that the bell holds: when as many were read, some workers may not have got theirs in."""

_STORE_DELAY = 50e-6
"""Seconds from asking a worker to ring until its table is read. A processor may show its store
of a deadline later than its load of the bound that it compared with; never by as much as this."""

# A process does not lock itself out, and would even lose its lock when it closed another
# descriptor of the file; see fcntl(2).
_served_here: set[Path] = set()


def private_directory(path: Path) -> Path:
    """Make sure that a directory is there and that nobody else can look or reach into it.

    Raises:
        PermissionError: it belongs to somebody else, or others may use it (SECURITY-PERMISSIONS).
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise PermissionError(
            f"{path} must belong to user {os.geteuid()} and to nobody else, but has owner "
            f"{status.st_uid} and mode {stat.S_IMODE(status.st_mode):o}: choose another "
            "directory, or 'chmod 700' it"
        )
    return path


class Bell:
    """The worker's end of the bell.

    Args:
        directory: where the tables are.

    Raises:
        ServerUnavailableError: no server has ever served this directory.
    """

    def __init__(self, directory: Path) -> None:
        try:
            # Open for reading too, so that rings wait for the next server while there is none.
            self._fd = os.open(directory / "bell", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ServerUnavailableError(
                errno.ENOENT, f"no timer server serves the directory {directory}: start one first"
            ) from None

    def ring(self, worker_id: WorkerId) -> None:
        """Tell the server to look into a worker's table; if it is away, its replacement will."""
        # A bell that is full has been rung enough: the server then looks into every table.
        with contextlib.suppress(BlockingIOError):
            os.write(self._fd, _RING.pack(worker_id, worker_id.start_time))

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)


class TableDirectory(RequestQueue):
    """The tables of all workers, as the request queue of the server that keeps their timers.

    Args:
        path: the directory; see :func:`private_directory`.
        clock: what deadlines are compared with.
        on_worker: is told of each worker whose table is opened.
        on_malformed: is told of a file that is no table.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        on_worker: Callable[[WorkerId], object],
        on_malformed: Callable[[MalformedTableError], object],
    ) -> None:
        self._path = path.resolve()
        self._clock = clock
        self._on_worker = on_worker
        self._on_malformed = on_malformed
        self._tables: dict[WorkerId, TableReader] = {}
        self._due: list[tuple[float, WorkerId]] = []  # a heap; entries that lag behind do no harm
        self._changes: deque[TimerRequest] = deque()
        self._lock_fd = -1
        self._bell_fd = -1
        self._woken = False
        self._lock = threading.RLock()  # the tables may be asked for while the server runs

    def open(self) -> None:
        """Become the one server of this directory, and look into every table that is there.

        Raises:
            ServerRunningError: another process serves this directory.
        """
        if self._lock_fd >= 0:
            return
        if self._path in _served_here:
            raise ServerRunningError(f"another server of this process serves {self._path} already")
        lock_fd = os.open(self._path / "server", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # A lock of the process: it ends with it, and forked workers do not hold it.
            fcntl.lockf(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            owner = os.read(lock_fd, 20).decode() or "unknown"
            os.close(lock_fd)
            raise ServerRunningError(
                f"process {owner} serves {self._path} already; stop it, or use another directory"
            ) from None
        _served_here.add(self._path)
        os.ftruncate(lock_fd, 0)
        os.write(lock_fd, str(os.getpid()).encode())
        self._lock_fd = lock_fd
        with contextlib.suppress(FileExistsError):
            os.mkfifo(self._path / "bell", 0o600)
        self._bell_fd = os.open(self._path / "bell", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._look_at_all()

    def close(self) -> None:
        """Give up the directory to another server. The tables stay, and so do their timers."""
        with self._lock:
            for table in self._tables.values():
                table.close()
            self._tables.clear()
            self._due.clear()
            self._changes.clear()
        if self._lock_fd >= 0:
            os.close(self._bell_fd)
            os.close(self._lock_fd)
            self._bell_fd = self._lock_fd = -1
            _served_here.discard(self._path)

    def forget(self, worker_id: WorkerId) -> None:
        """Take away the table of a worker whose process has ended."""
        with self._lock:
            table = self._tables.get(worker_id)
            if table is not None and table.worker_id.start_time == worker_id.start_time:
                del self._tables[worker_id]
                table.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path / table_name(worker_id))

    def armed_timers(self) -> dict[WorkerId, list[TimerRequest]]:
        """Return what every open table holds now, whether or not a request has told of it."""
        with self._lock:
            return {
                worker_id: [TimerRequest(worker_id, *timer) for timer in table.armed()]
                for worker_id, table in self._tables.items()
            }

    def drop(self, worker_ids: set[int]) -> None:
        """Take the timers of these workers for dealt with, until they acquire them anew."""
        with self._lock:
            for worker_id, table in self._tables.items():
                if worker_id in worker_ids:
                    table.drop()

    def size(self) -> int:
        """Return how many requests a ``get`` could return now."""
        self._look()
        return len(self._changes)

    def get(self, size: int, timeout: float) -> list[TimerRequest]:
        """Return up to ``size`` requests: as soon as there are that many, or after ``timeout``."""
        deadline = time.monotonic() + timeout
        while len(self._changes) < size and not self._woken:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            poll = select.poll()
            poll.register(self._bell_fd, select.POLLIN)
            poll.poll(remaining * 1000)
            self._look()
        self._woken = False
        return [self._changes.popleft() for _ in range(min(size, len(self._changes)))]

    def wake(self) -> None:
        """Make a waiting ``get`` return with what it has."""
        self._woken = True
        with contextlib.suppress(OSError):
            os.write(self._bell_fd, _RING.pack(0, 0))

    def _look(self) -> None:
        """Look into the tables whose deadline has come or whose worker has rung."""
        with self._lock:
            self._look_where_needed()

    def _look_where_needed(self) -> None:
        rung: set[WorkerId] = set()
        rings = b""
        with contextlib.suppress(BlockingIOError):
            rings = os.read(self._bell_fd, _ALL_RINGS)
        if len(rings) >= _ALL_RINGS:
            self._look_at_all()
            return
        for pid, started in _RING.iter_unpack(rings[: len(rings) // _RING.size * _RING.size]):
            if pid:
                rung.add(WorkerId(pid, started))
        now = self._clock.monotonic()
        while self._due and self._due[0][0] <= now:
            rung.add(heapq.heappop(self._due)[1])
        self._look_at(rung)

    def _look_at_all(self) -> None:
        found = {worker_of(entry.name) for entry in os.scandir(self._path)}
        self._look_at({worker_id for worker_id in found if worker_id is not None})

    def _look_at(self, worker_ids: set[WorkerId]) -> None:
        tables = [table for worker_id in worker_ids if (table := self._table(worker_id))]
        if not tables:
            return
        for table in tables:
            table.unbound()
        time.sleep(_STORE_DELAY)
        now = self._clock.monotonic()
        for table in tables:
            try:
                changes = table.changes()
            except MalformedTableError as error:
                self._on_malformed(error)
                continue
            for scope_id, expiration in changes:
                time_ = -1.0 if expiration is None else expiration
                self._changes.append(TimerRequest(table.worker_id, scope_id, time_))
            bound = table.bind(now)
            if bound < math.inf:
                heapq.heappush(self._due, (bound, table.worker_id))

    def _table(self, worker_id: WorkerId) -> TableReader | None:
        """Return the table of a worker, opened when it is first asked for."""
        table = self._tables.get(worker_id)
        if table is not None and table.worker_id.start_time == worker_id.start_time:
            return table
        if table is not None:
            if worker_id.start_time < table.worker_id.start_time:
                return None
            self.forget(table.worker_id)
        if start_time(worker_id) not in (UNKNOWN, worker_id.start_time):
            self.forget(worker_id)  # left over from a worker that has ended meanwhile
            return None
        try:
            table = TableReader(self._path / table_name(worker_id), self._clock)
        except FileNotFoundError:
            return None  # forgotten already
        except (MalformedTableError, OSError) as error:
            self._on_malformed(MalformedTableError(f"skipped {table_name(worker_id)}: {error}"))
            return None
        self._tables[table.worker_id] = table
        self._on_worker(table.worker_id)
        return table

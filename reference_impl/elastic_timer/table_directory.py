"""A directory of shared tables as a request queue: what changed in them, as requests.

A server looks into a table when its earliest deadline has come, and when the worker has rung the
bell, because it stored a deadline that is earlier than what the server knows of. All other changes
can wait until then, since they only put off what the server would do. So the server reads nothing
while nothing expires. Now and then it looks into all tables nevertheless, and relies on nobody.
"""

from __future__ import annotations

import contextlib
import heapq
import math
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from .api import RequestQueue, TimerRequest
from .bell import BellListener
from .clock import Clock
from .errors import ServerRunningError
from .server_lock import ServerLock
from .shared_table import MalformedTableError, table_name, worker_of
from .table_reader import TableReader
from .worker import UNKNOWN, WorkerId, start_time

__all__ = ["TableDirectory", "private_directory"]

_STORE_DELAY = 50e-6
"""Seconds from asking a worker to ring until its table is read. A processor may show its store
of a deadline later than its load of the bound that it compared with; never by as much as this."""

_RETRY_INTERVAL = 1.0
"""Seconds until a table that could not be opened is tried again."""

_SWEEP_INTERVAL = 10.0
"""Seconds after which a server that is awake anyway looks into all tables, should a ring have been
lost. Looking into a thousand takes some milliseconds."""


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
        # When a table is to be looked into: a heap, in which entries that lag behind do no harm;
        # and those that have to be before every judgement, since they hold an expired timer.
        self._due: list[tuple[float, WorkerId]] = []
        self._overdue: set[WorkerId] = set()
        self._unopened: set[WorkerId] = set()  # due because they could not be opened
        self._swept = -math.inf
        self._refused: set[WorkerId] = set()  # whose file was told to be no table
        self._changes: deque[TimerRequest] = deque()
        self._server_lock: ServerLock | None = None
        self._bell: BellListener | None = None
        self._woken = False
        self._is_lost = False  # whether the directory was told to be gone
        self._lock = threading.RLock()  # the tables may be asked for while the server runs

    def open(self) -> None:
        """Become the one server of this directory, and look into every table that is there.

        Raises:
            ServerRunningError: another server serves this directory; or this one is the copy that
                a forked child has of its parent's.
            OSError: the directory cannot be used.
        """
        if self._is_copy:
            raise ServerRunningError(
                f"this server of {self._path} is a copy made by a fork: in this process, make a "
                "server of its own"
            )
        with self._lock:
            if self._server_lock is not None:
                return
            self._server_lock = ServerLock(self._path)
            try:
                self._bell = BellListener(self._path, self._on_malformed)
                self._sweep()
            except BaseException:
                self.close()
                raise

    @property
    def _is_copy(self) -> bool:
        """Whether this belongs to a process that has forked this one, which then holds no lock."""
        return self._server_lock is not None and not self._server_lock.is_held

    def close(self) -> None:
        """Give up the directory to another server. The tables stay, and so do their timers."""
        if self._is_copy:
            return  # a thread of the parent may have held the lock when it forked
        with self._lock:
            for table in self._tables.values():
                table.close()
            for known in (self._tables, self._due, self._overdue, self._unopened, self._refused):
                known.clear()
            self._changes.clear()
            if self._bell is not None:
                self._bell.close()
                self._bell = None
            if self._server_lock is not None:
                self._server_lock.release()
                self._server_lock = None

    def forget(self, worker_id: WorkerId) -> None:
        """Take away the table of a worker whose process has ended."""
        with self._lock:
            table = self._tables.get(worker_id)
            if table is not None and table.worker_id.start_time == worker_id.start_time:
                del self._tables[worker_id]
                self._overdue.discard(worker_id)
                table.close()
            self._refused.discard(worker_id)
        # Under the second name if the worker was killed before it had finished its table.
        for name in (table_name(worker_id), f".{table_name(worker_id)}"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path / name)

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
        with self._lock:
            if time.monotonic() >= self._swept + _SWEEP_INTERVAL:
                self._sweep()
            else:
                self._look(self._overdue)
        return len(self._changes)

    def get(self, size: int, timeout: float) -> list[TimerRequest]:
        """Return up to ``size`` requests: as soon as there are that many, or after ``timeout``."""
        deadline = time.monotonic() + timeout
        while len(self._changes) < size and not self._woken and self._bell is not None:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            # Also until a table is due by whose bound a worker goes, and in which nothing is armed.
            due = self._due[0][0] - self._clock.monotonic() if self._due else math.inf
            if self._bell.wait(max(min(remaining, due), 0.0)) or due <= remaining:
                with self._lock:
                    self._look()
        self._woken = False
        return [self._changes.popleft() for _ in range(min(size, len(self._changes)))]

    def wake(self) -> None:
        """Make a waiting ``get`` return with what it has."""
        self._woken = True
        bell = self._bell
        if bell is not None:
            bell.wake()

    def _look(self, also: Iterable[WorkerId] = ()) -> None:
        """Look into the tables that are due or whose worker has rung, and into others."""
        if self._bell is None:
            return  # closed, while a watchdog was under way
        rung = self._bell.rung()
        if rung is None:
            self._sweep()
            return
        rung += also
        now = self._clock.monotonic()
        while self._due and self._due[0][0] <= now:
            _, worker_id = heapq.heappop(self._due)
            self._unopened.discard(worker_id)
            rung.append(worker_id)
        self._look_into(rung)

    def _sweep(self) -> None:
        """Look into all tables, and take away what dead workers have left."""
        self._swept = time.monotonic()
        workers = list(self._tables)
        try:
            # A worker that was killed early may have left an unfinished table, under ".<name>".
            names = [name.removeprefix(".") for name in os.listdir(self._path)]
            workers += filter(None, map(worker_of, names))
            self._is_lost = False
        except OSError as error:
            if not self._is_lost:
                self._on_malformed(MalformedTableError(f"cannot look for new tables: {error}"))
            self._is_lost = True
        self._look_into(workers)

    def _look_into(self, worker_ids: list[WorkerId]) -> None:
        found = [table for worker_id in worker_ids if (table := self._table(worker_id))]
        # Without those whose number was taken over, as one after them in the list has shown.
        tables = [table for table in set(found) if self._tables.get(table.worker_id) is table]
        if not tables:
            return
        for table in tables:
            with contextlib.suppress(OSError):  # it will be met again below
                table.unbound()
        time.sleep(_STORE_DELAY)
        now = self._clock.monotonic()
        for table in tables:
            worker_id = table.worker_id
            self._overdue.discard(worker_id)
            bound = now
            try:
                for scope_id, expiration in table.changes():
                    time_ = -1.0 if expiration is None else expiration
                    self._changes.append(TimerRequest(worker_id, scope_id, time_))
                bound = table.bind(now)
            except OSError as error:
                self._on_malformed(MalformedTableError(f"cannot use {table.path}: {error}"))
            if bound <= now:
                self._overdue.add(worker_id)
            elif bound < math.inf:
                heapq.heappush(self._due, (bound, worker_id))

    def _table(self, worker_id: WorkerId) -> TableReader | None:
        """Return the table of a worker, opened when it is first asked for."""
        table = self._tables.get(worker_id)
        if table is not None and table.worker_id.start_time == worker_id.start_time:
            return table
        if start_time(worker_id) not in (UNKNOWN, worker_id.start_time):
            self.forget(worker_id)  # left over from a worker that has ended meanwhile
            return None
        if table is not None:
            self.forget(table.worker_id)
        try:
            path = self._path / table_name(worker_id)
            table = TableReader(path, self._clock, self._on_malformed)
        except FileNotFoundError:
            return None  # forgotten already, or not finished yet
        except (MalformedTableError, OSError) as error:
            # For want of a descriptor, perhaps, and so not for ever.
            if isinstance(error, OSError) and worker_id not in self._unopened:
                self._unopened.add(worker_id)
                heapq.heappush(self._due, (self._clock.monotonic() + _RETRY_INTERVAL, worker_id))
            if worker_id not in self._refused:
                self._refused.add(worker_id)
                self._on_malformed(MalformedTableError(f"skipped {table_name(worker_id)}: {error}"))
            return None
        self._tables[table.worker_id] = table
        self._on_worker(table.worker_id)
        return table

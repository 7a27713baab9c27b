"""Timers in shared memory: acquiring one is a store, and all of them outlive their server.

Each worker process has a table of its own in a private directory (see
:mod:`elastic_timer.shared_table`). There is no queue that could fill up, be poisoned by a killed
worker or lag behind: the server judges a timer by what its table says at that moment.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from .api import TimerClient, TimerRequest
from .bell import Bell
from .clock import SYSTEM_CLOCK, Clock, Instant, acquirable
from .errors import ServerUnavailableError
from .events import EventListener
from .expires import expires
from .process_server import ProcessTimerServer
from .table_directory import TableDirectory, private_directory
from .timer_table import TimerTable
from .worker import WorkerId, current_worker
from .worker_table import WorkerTable

__all__ = ["SharedMemoryTimerClient", "SharedMemoryTimerServer"]


class SharedMemoryTimerClient(TimerClient):
    """A worker's client of a :class:`SharedMemoryTimerServer`, in a related process or not.

    Args:
        directory: the server's directory.
    """

    # Blocks go to the table directly once there is one. A slot is looked up in half the time of
    # an attribute that is in front of a method.
    __slots__ = ("enter_block", "leave_block")

    enter_block: Callable[[expires], None]  # type: ignore[assignment]
    leave_block: Callable[[expires], None]  # type: ignore[assignment]

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        super().__init__()
        self._directory = Path(directory)
        self._table: WorkerTable | None = None
        self._let_go()
        _clients.add(self)

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (str(self._directory),)

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        """Arm the calling worker's timer for ``scope_id``.

        Args:
            scope_id: any text of up to 4,094 bytes of UTF-8.
            expiration_time: seconds since the epoch; it is taken to the monotonic clock at once.

        Raises:
            ValueError: the time is negative, NaN or infinite, or the scope is too long
                (:class:`~elastic_timer.errors.RequestTooLargeError`); nothing was changed.
            ServerUnavailableError: there is no such directory, or no server has ever served it.
                While a server is merely away, timers are armed and wait for its replacement.
            TooManyTimersError: 65,536 timers are armed in this process already.
        """
        expiration_time = acquirable(expiration_time)
        (self._table or self._open()).arm(scope_id, expiration_time)

    def release(self, scope_id: str) -> None:
        """Disarm the calling worker's timer for ``scope_id``, if it is armed."""
        if self._table is not None:
            self._table.disarm(scope_id)

    def _open(self) -> WorkerTable:
        """Find this process's table: at first, and again in a forked child (CLIENT-FORK)."""
        table = self._table = _table_of_this_process(self._directory.resolve())
        self.enter_block = table.enter_block
        self.leave_block = table.leave_block
        return table

    def _let_go(self) -> None:
        self._table = None
        self.enter_block = self._enter_first_block
        self.leave_block = self._leave_first_block

    def _enter_first_block(self, block: expires) -> None:
        self._open().enter_block(block)

    def _leave_first_block(self, block: expires) -> None:
        if self._table is not None:  # else it was entered by the process that forked this one
            self._table.leave_block(block)


# A process has one table in a directory, however many clients it makes.
_opened: dict[Path, tuple[WorkerTable, Bell]] = {}
_opening = threading.Lock()
_clients: weakref.WeakSet[SharedMemoryTimerClient] = weakref.WeakSet()


def _table_of_this_process(directory: Path) -> WorkerTable:
    with _opening:
        if directory not in _opened:
            bell = Bell(directory)
            worker_id = current_worker()
            try:
                table = WorkerTable(directory, worker_id, lambda: bell.ring(worker_id))
            except OSError as error:
                bell.close()
                if not isinstance(error, FileNotFoundError):
                    raise
                raise ServerUnavailableError(
                    errno.ENOENT, f"the timer server's directory {directory} is not there"
                ) from None
            _opened[directory] = table, bell
        return _opened[directory][0]


def _after_fork_in_child() -> None:
    """Let go of the parent's tables, and make one's own when it is needed."""
    global _opening
    _opening = threading.Lock()
    for client in list(_clients):
        client._let_go()
    for table, bell in _opened.values():
        table.close()
        bell.close()
    _opened.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)


class SharedMemoryTimerServer(ProcessTimerServer):
    """A server that reads its workers' timers in shared memory, and can be replaced at any time.

    Args:
        directory: where the workers' tables are: a directory of this user alone, best on a tmpfs;
            it is made if it is not there. A replacement is given its predecessor's. By default,
            a new directory in /dev/shm, or in $TMPDIR where that is set; it is removed when this
            process ends.
        max_interval: how long one watchdog waits at the most, in seconds. A timer that expires
            earlier ends the wait, so this does not delay any reaping. The timers of a
            worker that has exited leave the table within it (PROCESS-EXITED).
        daemon: whether the watchdog's thread lets the interpreter exit.
        clock: where the time comes from.
        on_event: is told of everything that happens (OBSERVE-EVENTS).

    Raises:
        PermissionError: others may use the directory (SECURITY-PERMISSIONS).
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        max_interval: float = 60,
        daemon: bool = True,
        *,
        clock: Clock = SYSTEM_CLOCK,
        on_event: EventListener | None = None,
    ) -> None:
        if directory is None:
            directory = tempfile.mkdtemp(prefix="elastic-timer-", dir=_memory())
            weakref.finalize(self, _remove, directory, os.getpid())
        self.directory = private_directory(Path(directory))
        self._is_stopped = False
        self._stopping = threading.Lock()
        self._tables = TableDirectory(
            self.directory,
            clock,
            lambda worker_id: self._meet(worker_id, self._workers.get(worker_id)),
            self._report_malformed,
        )
        super().__init__(self._tables, max_interval, daemon, clock=clock, on_event=on_event)

    def client(self) -> SharedMemoryTimerClient:
        """Return a client to hand to workers; others make theirs from :attr:`directory`."""
        return SharedMemoryTimerClient(self.directory)

    def start(self) -> None:
        """Start the watchdog's thread, and return; a server that runs already keeps running.

        Raises:
            ServerRunningError: another server keeps the timers of this directory.
        """
        self._tables.open()
        self._is_stopped = False
        super().start()

    def stop(self) -> None:
        """Stop the watchdog's thread, and leave the directory to whoever starts next."""
        super().stop()
        with self._stopping:
            self._is_stopped = True
            self._tables.close()
            # What is released from now on is not seen: the next start begins with what is armed.
            self._timers = TimerTable(self._clock)

    def clear_timers(self, worker_ids: set[int]) -> None:
        """Drop all timers of these workers, and of no others."""
        super().clear_timers(worker_ids)
        if worker_ids:
            self._tables.drop(worker_ids)

    def get_expired_timers(self, deadline: float) -> dict[Any, list[TimerRequest]]:
        """Return every timer that has expired by ``deadline``, by worker; nothing changes.

        Args:
            deadline: an :class:`~elastic_timer.clock.Instant` is compared on the monotonic clock,
                with what the watchdog has read. A plain number is compared with the expiration
                times that stand in the tables now.
        """
        if isinstance(deadline, Instant):
            return super().get_expired_timers(deadline)
        tables = self._tables.armed_timers()
        known = super().get_expired_timers(deadline)
        expired = {worker: timers for worker, timers in known.items() if worker not in tables}
        for worker, timers in tables.items():
            if late := [timer for timer in timers if timer.expiration_time <= deadline]:
                expired[worker] = late
        return expired

    def _run_watchdog(self) -> None:
        with self._stopping:
            if self._is_stopped:
                return  # a thread that outlived stop(), which waits for `max_interval` only
            self._tables.open()
        super()._run_watchdog()

    def _forget(self, worker_id: WorkerId) -> None:
        super()._forget(worker_id)
        self._tables.forget(worker_id)


def _memory() -> str | None:
    """Return where files live in memory, unless the user says where temporary files belong."""
    in_memory = "TMPDIR" not in os.environ and os.access("/dev/shm", os.W_OK)
    return "/dev/shm" if in_memory else None


def _remove(directory: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)

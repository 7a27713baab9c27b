"""PyTorch's own timers, as they are installed: nothing in them is replaced."""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from torch.distributed.elastic import timer

from .contender import Backend, time_context_manager, unread_bytes

__all__ = ["TorchFile", "TorchLocal"]

# It logs every reaping; a log that nobody reads should not cost it anything here.
logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)


class _PyTorch(Backend):
    def prepare(self) -> None:
        timer.configure(self.make_client())

    def expires(self, after: float, scope: str | None) -> AbstractContextManager[object]:
        block: AbstractContextManager[object] = timer.expires(after, scope)
        return block

    def time_blocks(self, count: int, scope: str | None) -> float:
        return time_context_manager(timer.expires, count, scope)


class TorchLocal(_PyTorch):
    """``LocalTimerServer`` on a ``multiprocessing.Queue``."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._queue: Any = multiprocessing.get_context("fork").Queue()

    def make_server(self, **settings: Any) -> Any:
        return timer.LocalTimerServer(self._queue, **settings)

    def make_client(self) -> Any:
        return timer.LocalTimerClient(self._queue)

    def make_request(self, worker_id: int, scope_id: str, expiration_time: float) -> Any:
        return timer.TimerRequest(worker_id, scope_id, expiration_time)

    def unread(self) -> int:
        return int(self._queue.qsize())

    def flush(self) -> None:
        self._queue.close()
        self._queue.join_thread()  # its thread has written everything to the pipe

    def widen(self) -> None:
        fcntl.fcntl(self._queue._reader.fileno(), fcntl.F_SETPIPE_SZ, 1 << 20)  # as ours


class TorchFile(_PyTorch):
    """``FileTimerServer`` on a named pipe. Its server ends its own process when it reaps."""

    restarts = False

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._path = directory / "timers"
        self._stream: Any = None
        self._read_fd = -1

    def make_server(self, **settings: Any) -> Any:
        return timer.FileTimerServer(str(self._path), "benchmark", **settings)

    def make_client(self) -> Any:
        return timer.FileTimerClient(str(self._path))

    def make_request(self, worker_id: int, scope_id: str, expiration_time: float) -> Any:
        return timer.FileTimerRequest(worker_id, scope_id, expiration_time, 9)

    def run_watchdog(self, server: Any) -> None:
        """Run one watchdog as its ``run_once`` does: until the pipe is empty, without a pause.

        At its defaults a watchdog reads for ten seconds, asleep for most of them.
        """
        server._run_once = True
        self.widen()
        server._run_watchdog(self._stream)

    def unread(self) -> int:
        if self._read_fd < 0:
            self._read_fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        return unread_bytes(self._read_fd)

    def widen(self) -> None:
        if self._stream is None:
            # Opened without waiting for a client, and then read as its server reads: by waiting.
            fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 1 << 20)  # as ours
            os.set_blocking(fd, True)
            self._stream = open(fd)  # noqa: SIM115  (as long as this object)

"""The backends of this project."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import elastic_timer

from .contender import Backend, time_context_manager, unread_bytes

__all__ = ["File", "Local", "SharedMemory"]


class _Ours(Backend):
    def prepare(self) -> None:
        elastic_timer.configure(self.make_client())

    def expires(self, after: float, scope: str | None) -> AbstractContextManager[object]:
        return elastic_timer.expires(after, scope)

    def time_blocks(self, count: int, scope: str | None) -> float:
        # Without the method in between, which an empty block does not have either.
        return time_context_manager(elastic_timer.expires, count, scope)

    def make_request(self, worker_id: int, scope_id: str, expiration_time: float) -> Any:
        return elastic_timer.TimerRequest(worker_id, scope_id, expiration_time)


class Local(_Ours):
    """``LocalTimerServer`` on a ``RequestPipe``."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._pipe = elastic_timer.RequestPipe()

    def make_server(self, **settings: Any) -> Any:
        return elastic_timer.LocalTimerServer(self._pipe, **settings)

    def make_client(self) -> Any:
        return elastic_timer.LocalTimerClient(self._pipe.writer())

    def unread(self) -> int:
        return unread_bytes(self._pipe._read_fd)


class File(_Ours):
    """``FileTimerServer`` on a named pipe."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._path = directory / "timers"
        self._read_fd = -1

    def make_server(self, **settings: Any) -> Any:
        return elastic_timer.FileTimerServer(self._path, "benchmark", **settings)

    def make_client(self) -> Any:
        return elastic_timer.FileTimerClient(self._path)

    def make_request(self, worker_id: int, scope_id: str, expiration_time: float) -> Any:
        return elastic_timer.FileTimerRequest(worker_id, scope_id, expiration_time, 9)

    def unread(self) -> int:
        if self._read_fd < 0:
            self._read_fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        return unread_bytes(self._read_fd)


class SharedMemory(_Ours):
    """``SharedMemoryTimerServer`` on a directory in memory."""

    outlives_server = True

    def make_server(self, **settings: Any) -> Any:
        return elastic_timer.SharedMemoryTimerServer(self.directory, **settings)

    def make_client(self) -> Any:
        return elastic_timer.SharedMemoryTimerClient(self.directory)

    def unread(self) -> int:
        return 0  # there is nothing under way: what is stored is there

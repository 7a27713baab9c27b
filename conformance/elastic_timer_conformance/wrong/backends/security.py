"""Wrong transports, as somebody with bad intentions would wish for."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from elastic_timer import LocalTimerClient, TimerRequest
from elastic_timer.file_timer_request import FileRequestReader
from elastic_timer.line_reader import LineReader

from elastic_timer_conformance.backend import IdleServer
from elastic_timer_conformance.backends.file import FileBackend
from elastic_timer_conformance.clock import ControlledClock
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.clients import WithClient


@breaks("SECURITY-PERMISSIONS", seen="was made prw-rw-rw-")
class LeftToTheUmask(FileBackend):
    """Who may open the named pipe is left to the umask."""

    def start_server(self, max_interval: float) -> Any:
        server = super().start_server(max_interval)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(server._file_path, 0o666 & ~umask)
        return server


class _Reading(FileBackend):
    """Has a server that is not started read with a wrong reader."""

    reader: type[LineReader]

    def idle_server(
        self,
        max_interval: float,
        clock: ControlledClock,
        reap: Callable[[Any], bool] | None = None,
    ) -> IdleServer:
        idle = super().idle_server(max_interval, clock, reap)
        idle.server._pipe._reader = self.reader()
        return idle


def _load(pickled: bytes) -> None:
    with suppress(Exception):
        pickle.loads(pickled)


class _LoadsLines(LineReader):
    def request(self, line: bytes) -> TimerRequest:
        _load(line)
        return FileRequestReader().request(line)


@breaks("SECURITY-NO-CODE", seen="receiving a request has run what its sender chose")
class TakesLinesForPickles(_Reading):
    """What arrives is taken for a pickle first, and for a request if it is none."""

    reader = _LoadsLines


class _LoadsScopes(LineReader):
    def request(self, line: bytes) -> TimerRequest:
        request = FileRequestReader().request(line)
        _load(request.scope_id.encode())
        return request


@breaks("SECURITY-NO-CODE", seen="receiving a request has run what its sender chose")
class TakesScopesForPickles(_Reading):
    """A request is read as it should be, but its scope may be anything that was pickled as text."""

    reader = _LoadsScopes


class _ForAnyWorker(LocalTimerClient):
    def acquire(self, scope_id: str, expiration_time: float, worker_id: int | None = None) -> None:
        super().acquire(scope_id, expiration_time)


@breaks("SECURITY-IDENTITY", seen="acquire takes ['scope_id', 'expiration_time', 'worker_id']")
class ForAnyWorker(WithClient):
    """Whoever acquires may say for which worker."""

    client_class = _ForAnyWorker


class _WithAnotherDoor(LocalTimerClient):
    def release_worker(self, worker_id: int, scope_id: str) -> None:
        self._mp_queue.put(TimerRequest(worker_id, scope_id, -1))


@breaks("SECURITY-IDENTITY", seen="whom a request is about is said by the caller of")
class ReleasesOthers(WithClient):
    """A method beside the two that there have to be releases what another worker has acquired."""

    client_class = _WithAnotherDoor

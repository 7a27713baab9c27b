"""Our SharedMemoryTimerServer, whose workers' timers are in tables that both sides map."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import elastic_timer
from elastic_timer import SharedMemoryTimerClient, SharedMemoryTimerServer, TimerRequest
from elastic_timer.bell import Bell, ring_of
from elastic_timer.clock import Instant
from elastic_timer.errors import ServerRunningError, ServerUnavailableError
from elastic_timer.worker import WorkerId, start_time
from elastic_timer.worker_table import WorkerTable

from elastic_timer_conformance.backend import Backend, Capability, IdleServer, Refusal
from elastic_timer_conformance.backends.stamping import stamped
from elastic_timer_conformance.clock import ControlledClock

MEMORY = Path("/dev/shm")
PREFIX = "elastic-timer-suite-"

# Seconds: far longer than any test uses a place.
LEFT_OVER = 3600.0
A_NANOSECOND = 1e-9


class SharedMemoryBackend(Backend):
    """Judges `elastic_timer` with its shared-memory server."""

    name = "shared-memory"
    server_class: ClassVar[type[SharedMemoryTimerServer]] = SharedMemoryTimerServer
    capabilities = frozenset({Capability.EVENTS, Capability.HEALTH, Capability.DURABLE})
    when_unavailable: ClassVar[Refusal | None] = Refusal(ServerUnavailableError, within=0.0)
    when_served: ClassVar[type[Exception] | None] = ServerRunningError

    @property
    def api(self) -> Any:
        return elastic_timer

    def version(self) -> str:
        return f"elastic-timer {version('elastic-timer')}"

    def start_server(self, max_interval: float) -> Any:
        place = self.new_place()
        server = self.start_replacement(place, max_interval)
        weakref.finalize(server, self.remove_place, place)
        return server

    def client(self, server: Any) -> Any:
        return server.client()

    def idle_server(
        self,
        max_interval: float,
        clock: ControlledClock,
        reap: Callable[[Any], bool] | None = None,
    ) -> IdleServer:
        return _idle(self.server_class(None, max_interval, clock=clock), reap, clock)

    def observed_server(
        self,
        max_interval: float,
        on_event: Callable[[Any], None],
        reap: Callable[[Any], bool] | None = None,
    ) -> IdleServer:
        server = self.server_class(None, max_interval, on_event=on_event)
        return _idle(server, reap)

    def last_progress_time(self, server: Any) -> float:
        progress: float = server.get_last_progress_time()
        return progress

    def send_raw(self, server: Any, data: bytes) -> None:
        bell = os.open(server.directory / "bell", os.O_WRONLY)
        os.write(bell, data)
        os.close(bell)

    def send_part(self, server: Any, request: Any) -> None:
        ring = self.raw_request(request)
        self.send_raw(server, ring[: len(ring) // 2])

    def raw_request(self, request: Any) -> bytes:
        return ring_of(WorkerId(request.worker_id, start_time(request.worker_id)))

    def transport_paths(self, server: Any) -> Sequence[str]:
        return list(map(str, server.directory.iterdir()))

    def place(self, server: Any) -> Any:
        return str(server.directory)

    def new_place(self) -> Any:
        # What a server leaves that was killed, which nobody removes, is no longer in use.
        for left in MEMORY.glob(f"{PREFIX}*"):
            with suppress(FileNotFoundError):
                if left.stat().st_mtime < time.time() - LEFT_OVER:
                    shutil.rmtree(left, ignore_errors=True)
        return tempfile.mkdtemp(prefix=PREFIX, dir=MEMORY)

    def remove_place(self, place: Any) -> None:
        shutil.rmtree(place, ignore_errors=True)

    def start_replacement(self, place: Any, max_interval: float) -> Any:
        server = self.server_class(place, max_interval)
        server.start()
        return server

    def client_at(self, place: Any) -> Any:
        return SharedMemoryTimerClient(place)


def _idle(
    server: SharedMemoryTimerServer,
    reap: Callable[[Any], bool] | None,
    clock: ControlledClock | None = None,
) -> IdleServer:
    if reap is not None:
        server._reap_worker = reap  # type: ignore[method-assign, assignment]
    server._tables.open()
    bell = Bell(server.directory)
    tables: dict[int, WorkerTable] = {}
    acquires = itertools.count()

    def put(request: TimerRequest) -> None:
        """Store into the table of the worker that the request names, as its client would."""
        worker_id = WorkerId(request.worker_id, start_time(request.worker_id))
        if worker_id <= 0:
            server.register_timers([request])  # no process has a table under such a number
            return
        if worker_id not in tables:
            ring = partial(bell.ring, worker_id)
            tables[worker_id] = WorkerTable(server.directory, worker_id, ring)
        if request.expiration_time < 0:
            tables[worker_id].disarm(request.scope_id)
        else:
            expires = stamped(request, clock).expiration_time
            # A table tells one acquire from the next by its deadline, which on a clock that moves
            # is never the same again. So on one that stands still, it is made to differ.
            later = Instant(expires, expires.monotonic + next(acquires) * A_NANOSECOND)
            tables[worker_id].arm(request.scope_id, later)

    def close() -> None:
        server.stop()
        bell.close()
        for table in tables.values():
            table.close()

    return IdleServer(server, put, close)

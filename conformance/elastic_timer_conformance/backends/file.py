"""Our FileTimerServer on a named pipe."""

from __future__ import annotations

import signal
import tempfile
import uuid
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import elastic_timer
from elastic_timer import FileTimerClient, FileTimerRequest, FileTimerServer
from elastic_timer.errors import RequestQueueFullError, ServerUnavailableError
from elastic_timer.file_timer_request import FileRequestReader
from elastic_timer.named_pipe import NamedPipe

from elastic_timer_conformance.backend import Backend, Capability, IdleServer, OpenQueue, Refusal
from elastic_timer_conformance.backends.stamping import stamped
from elastic_timer_conformance.clock import ControlledClock

RUN_ID = "conformance"


class FileBackend(Backend):
    """Judges `elastic_timer` with its file-based server."""

    name = "file"
    capabilities = frozenset({Capability.EVENTS, Capability.HEALTH, Capability.SIGNAL})
    # Seconds: what the documentation of FileTimerClient says.
    when_full: ClassVar[Refusal | None] = Refusal(RequestQueueFullError, within=5.0)
    when_unavailable: ClassVar[Refusal | None] = Refusal(ServerUnavailableError, within=1.0)

    @property
    def api(self) -> Any:
        return elastic_timer

    def version(self) -> str:
        return f"elastic-timer {version('elastic-timer')}"

    def start_server(self, max_interval: float) -> Any:
        server = FileTimerServer(new_path(), RUN_ID, max_interval)
        server.start()
        return server

    def start_server_with_signal(self, max_interval: float, signal_number: int) -> Any:
        server = self.start_server(max_interval)
        # It is the client that says which signal is sent.
        server.signal_of_clients = signal_number
        return server

    def client(self, server: Any) -> Any:
        return server.client(getattr(server, "signal_of_clients", signal.SIGKILL))

    def request(self, worker_id: Any, scope_id: str, expiration_time: float) -> Any:
        return FileTimerRequest(worker_id, scope_id, expiration_time, signal.SIGKILL)

    def open_queue(self) -> OpenQueue:
        path = new_path()
        pipe = NamedPipe(path, FileRequestReader())
        return OpenQueue(pipe, Producer(path), pipe.close)

    def idle_server(
        self,
        max_interval: float,
        clock: ControlledClock,
        reap: Callable[[Any], bool] | None = None,
    ) -> IdleServer:
        return _idle(FileTimerServer(new_path(), RUN_ID, max_interval, clock=clock), reap, clock)

    def observed_server(
        self,
        max_interval: float,
        on_event: Callable[[Any], None],
        reap: Callable[[Any], bool] | None = None,
    ) -> IdleServer:
        return _idle(FileTimerServer(new_path(), RUN_ID, max_interval, on_event=on_event), reap)

    def send_raw(self, server: Any, data: bytes) -> None:
        Path(server._file_path).write_bytes(data)

    def send_part(self, server: Any, request: Any) -> None:
        line = self.raw_request(request)
        # Kept open as long as the server is, which keeps what it is given.
        server.stalled_client = open(server._file_path, "wb", buffering=0)  # noqa: SIM115
        server.stalled_client.write(line[: len(line) // 2])

    def raw_request(self, request: Any) -> bytes:
        line: str = request.to_json()
        return line.encode("ascii") + b"\n"

    def transport_paths(self, server: Any) -> Sequence[str]:
        return (server._file_path,)

    def last_progress_time(self, server: Any) -> float:
        progress: float = server.get_last_progress_time()
        return progress


class Producer:
    """A client that sends requests as they are."""

    def __init__(self, path: str) -> None:
        self.put = FileTimerClient(path)._send_request


def new_path() -> str:
    """Return a path that nothing has, in a directory that everybody can look into."""
    return str(Path(tempfile.gettempdir()) / f"timers-{uuid.uuid4()}")


def _idle(
    server: FileTimerServer,
    reap: Callable[[Any], bool] | None,
    clock: ControlledClock | None = None,
) -> IdleServer:
    if reap is not None:
        # Ours is called with the signal as well.
        server._reap_worker = lambda worker_id, signal=0: reap(worker_id)  # type: ignore
    send = Producer(server._file_path).put
    return IdleServer(server, lambda request: send(stamped(request, clock)), server.stop)

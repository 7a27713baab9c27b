"""Our LocalTimerServer on a request pipe."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, ClassVar

import elastic_timer
from elastic_timer import LocalTimerServer, RequestPipe
from elastic_timer.errors import RequestQueueFullError, ServerUnavailableError
from elastic_timer.request_line import request_line

from elastic_timer_conformance.backend import Backend, Capability, IdleServer, OpenQueue, Refusal
from elastic_timer_conformance.backends.stamping import stamped
from elastic_timer_conformance.clock import ControlledClock


class LocalBackend(Backend):
    """Judges `elastic_timer` with its local server."""

    name = "local"
    server_class: ClassVar[type[LocalTimerServer]] = LocalTimerServer
    capabilities = frozenset({Capability.EVENTS, Capability.HEALTH, Capability.SIGNAL})
    # Seconds: what the documentation of RequestPipe says is its default.
    when_full: ClassVar[Refusal | None] = Refusal(RequestQueueFullError, within=5.0)
    when_unavailable: ClassVar[Refusal | None] = Refusal(ServerUnavailableError, within=0.0)

    @property
    def api(self) -> Any:
        return elastic_timer

    def version(self) -> str:
        return f"elastic-timer {version('elastic-timer')}"

    def start_server(self, max_interval: float) -> Any:
        server = self.make_server(max_interval)
        server.start()
        return server

    def start_server_with_signal(self, max_interval: float, signal_number: int) -> Any:
        server = self.make_server(max_interval, reap_signal=signal_number)
        server.start()
        return server

    def client(self, server: Any) -> Any:
        return server.client()

    def make_queue(self) -> Any:
        """Return what requests travel in."""
        return RequestPipe()

    def make_server(self, max_interval: float, **options: Any) -> Any:
        """Return a server that is not started."""
        return self.server_class(self.make_queue(), max_interval=max_interval, **options)

    def open_queue(self) -> OpenQueue:
        pipe = self.make_queue()
        return OpenQueue(queue=pipe, producer=pipe)

    def idle_server(
        self,
        max_interval: float,
        clock: ControlledClock,
        reap: Callable[[Any], bool] | None = None,
    ) -> IdleServer:
        return _idle(self.make_server(max_interval, clock=clock), reap, clock)

    def send_raw(self, server: Any, data: bytes) -> None:
        os.write(server._mp_queue._write_fd, data)

    def send_part(self, server: Any, request: Any) -> None:
        line = self.raw_request(request)
        self.send_raw(server, line[: len(line) // 2])

    def raw_request(self, request: Any) -> bytes:
        return request_line(request)

    def observed_server(
        self,
        max_interval: float,
        on_event: Callable[[Any], None],
        reap: Callable[[Any], bool] | None = None,
    ) -> IdleServer:
        return _idle(self.make_server(max_interval, on_event=on_event), reap)

    def last_progress_time(self, server: Any) -> float:
        progress: float = server.get_last_progress_time()
        return progress


def _idle(
    server: Any, reap: Callable[[Any], bool] | None, clock: ControlledClock | None = None
) -> IdleServer:
    if reap is not None:
        server._reap_worker = reap
    return IdleServer(server, lambda request: server._mp_queue.put(stamped(request, clock)))

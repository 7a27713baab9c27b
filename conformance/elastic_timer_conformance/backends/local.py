"""Our LocalTimerServer on a request pipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import elastic_timer
from elastic_timer import LocalTimerServer, RequestPipe, TimerEvent

from elastic_timer_conformance.backend import Backend, Capability, IdleServer, OpenQueue
from elastic_timer_conformance.clock import ControlledClock


class LocalBackend(Backend):
    """Judges `elastic_timer` with its local server."""

    name = "local"
    capabilities = frozenset({Capability.EVENTS, Capability.HEALTH})

    @property
    def api(self) -> Any:
        return elastic_timer

    def version(self) -> str:
        return f"elastic-timer {version('elastic-timer')}"

    def start_server(self, max_interval: float) -> Any:
        server = LocalTimerServer(self.make_queue(), max_interval)
        server.start()
        return server

    def client(self, server: Any) -> Any:
        return server.client()

    def make_queue(self) -> Any:
        """Return what requests travel in."""
        return RequestPipe()

    def open_queue(self) -> OpenQueue:
        pipe = RequestPipe()
        return OpenQueue(queue=pipe, producer=pipe)

    def idle_server(
        self,
        max_interval: float,
        clock: ControlledClock,
        reap: Callable[[Any], bool] | None = None,
    ) -> IdleServer:
        queue = self.make_queue()
        server = LocalTimerServer(queue, max_interval, clock=clock)
        if reap is not None:
            server._reap_worker = reap  # type: ignore[method-assign, assignment]
        return IdleServer(server, queue.put)

    def start_observed_server(self, max_interval: float) -> Any:
        events: list[TimerEvent] = []
        server = LocalTimerServer(self.make_queue(), max_interval, on_event=events.append)
        server.events = events  # type: ignore[attr-defined]
        server.start()
        return server

    def events(self, server: Any) -> Sequence[Any]:
        return list(server.events)

    def last_progress_time(self, server: Any) -> float:
        progress: float = server.get_last_progress_time()
        return progress

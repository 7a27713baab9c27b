"""Backends small enough to see through, right and wrong, for tests of the suite itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from elastic_timer_conformance.backend import Backend, Capability, Deviation, OpenQueue
from elastic_timer_conformance.backends.local import LocalBackend


@dataclass
class TinyRequest:
    """A request."""

    worker_id: Any
    scope_id: str
    expiration_time: float


class TinyQueue:
    """A right request queue, within one process."""

    def __init__(self) -> None:
        self.requests: list[Any] = []

    def put(self, request: Any) -> None:
        self.requests.append(request)

    def size(self) -> int:
        return len(self.requests)

    def get(self, size: int, timeout: float) -> list[Any]:
        end = time.monotonic() + timeout
        while len(self.requests) < size and time.monotonic() < end:
            time.sleep(0.001)
        taken, self.requests[:size] = self.requests[:size], []
        return taken


class TinyBackend(Backend):
    """Has requests and a queue, and no server."""

    name = "tiny"
    queue_class: type[TinyQueue] = TinyQueue

    @property
    def api(self) -> Any:
        return SimpleNamespace(
            TimerRequest=TinyRequest,
            TimerClient=None,
            RequestQueue=None,
            TimerServer=None,
            configure=None,
            expires=None,
        )

    def version(self) -> str:
        return "tiny 1"

    def start_server(self, max_interval: float) -> Any:
        raise NotImplementedError("there is no server")

    def client(self, server: Any) -> Any:
        raise NotImplementedError("there is no client")

    def open_queue(self) -> OpenQueue:
        queue = self.queue_class()
        return OpenQueue(queue, queue)


class Observable(TinyBackend):
    """Claims a capability."""

    capabilities = frozenset({Capability.EVENTS})


class Deviating(TinyBackend):
    """Says that it does not meet QUEUE-SIZE, and why."""

    deviations = (Deviation("QUEUE-SIZE", "it cannot count", "https://example.org/cannot-count"),)


class SometimesDeviating(TinyBackend):
    """Says that it does not always meet QUEUE-SIZE."""

    deviations = (Deviation("QUEUE-SIZE", "it miscounts at times", sometimes=True),)


class DeviatingFromNothing(TinyBackend):
    """Says that it does not meet a requirement that does not exist."""

    deviations = (Deviation("QUEUE-SIZES", "it cannot count"),)


class Forgetful(TinyQueue):
    """Wrong: says that it is empty."""

    def size(self) -> int:
        return 0


class ForgetfulBackend(TinyBackend):
    """Has a queue that cannot count, and does not say so."""

    name = "forgetful"
    queue_class = Forgetful


class MercifulBackend(LocalBackend):
    """Wrong: its server says that it has reaped, and has not."""

    name = "merciful"

    def start_server(self, max_interval: float) -> Any:
        server = super().start_server(max_interval)
        server._reap_worker = lambda worker_id: True
        return server


class HastyBackend(LocalBackend):
    """Wrong: its server does not wait for a timer to expire."""

    name = "hasty"

    def start_server(self, max_interval: float) -> Any:
        server = super().start_server(max_interval)
        ask = server.get_expired_timers
        server.get_expired_timers = lambda deadline: ask(float("inf"))
        return server

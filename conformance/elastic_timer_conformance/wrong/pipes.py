"""How a wrong pipe is given to a server, whose watchdogs are then wrong, and to nobody else."""

from __future__ import annotations

from typing import Any, ClassVar

from elastic_timer import RequestPipe

from elastic_timer_conformance.backend import OpenQueue
from elastic_timer_conformance.backends.local import LocalBackend

__all__ = ["ServerOnPipe"]


class ServerOnPipe(LocalBackend):
    """A backend whose server reads a pipe of another kind; a bare queue is a right one."""

    pipe_class: ClassVar[type[RequestPipe]]

    def make_queue(self) -> Any:
        return self.pipe_class()

    def open_queue(self) -> OpenQueue:
        pipe = RequestPipe()
        return OpenQueue(queue=pipe, producer=pipe)

"""Wrong request queues."""

from __future__ import annotations

from typing import Any

from elastic_timer import RequestPipe

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks


class _OneTooMany(RequestPipe):
    def get(self, size: int, timeout: float) -> list[Any]:
        return super().get(size + 1, timeout)


@breaks(
    "QUEUE-GET-BOUNDED",
    seen="?",
)
class OneTooManyInABatch(LocalBackend):
    """`get(size)` returns one request more than it was asked for."""

    def make_queue(self) -> Any:
        return _OneTooMany()

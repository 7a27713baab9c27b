"""Countdown timers that let a server reap a worker process which does not leave a block in time.

A drop-in for ``torch.distributed.elastic.timer`` that needs no PyTorch::

    import elastic_timer as timer

    with timer.SharedMemoryTimerServer() as server:  # or LocalTimerServer, as in PyTorch
        start_worker(server.client())

    def worker(client):
        timer.configure(client)
        with timer.expires(after=60):
            train_one_step()

Backends are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .api import RequestQueue, TimerClient, TimerRequest, TimerServer, configure, expires
from .errors import (
    RequestQueueFullError,
    RequestTooLargeError,
    ServerRunningError,
    ServerUnavailableError,
    TooManyTimersError,
)
from .events import TimerEvent

if TYPE_CHECKING:
    from .file_based_local_timer import FileTimerClient, FileTimerRequest, FileTimerServer
    from .local_timer import (
        LocalTimerClient,
        LocalTimerServer,
        MultiprocessingRequestQueue,
        RequestPipe,
    )
    from .shared_memory_timer import SharedMemoryTimerClient, SharedMemoryTimerServer

__all__ = [
    "FileTimerClient",
    "FileTimerRequest",
    "FileTimerServer",
    "LocalTimerClient",
    "LocalTimerServer",
    "MultiprocessingRequestQueue",
    "RequestPipe",
    "RequestQueue",
    "RequestQueueFullError",
    "RequestTooLargeError",
    "ServerRunningError",
    "ServerUnavailableError",
    "SharedMemoryTimerClient",
    "SharedMemoryTimerServer",
    "TimerClient",
    "TimerEvent",
    "TimerRequest",
    "TimerServer",
    "TooManyTimersError",
    "configure",
    "expires",
]

_BACKENDS = {
    "FileTimerClient": "file_based_local_timer",
    "FileTimerRequest": "file_based_local_timer",
    "FileTimerServer": "file_based_local_timer",
    "LocalTimerClient": "local_timer",
    "LocalTimerServer": "local_timer",
    "MultiprocessingRequestQueue": "local_timer",
    "RequestPipe": "local_timer",
    "SharedMemoryTimerClient": "shared_memory_timer",
    "SharedMemoryTimerServer": "shared_memory_timer",
}


def __getattr__(name: str) -> Any:
    module = _BACKENDS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

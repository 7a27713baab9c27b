"""Our LocalTimerServer on a multiprocessing.Queue, as code written for PyTorch uses it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from elastic_timer import MultiprocessingRequestQueue

from elastic_timer_conformance.backend import Deviation, IdleServer, OpenQueue
from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.clock import ControlledClock


class LocalMpQueueBackend(LocalBackend):
    """Judges `elastic_timer` with its local server reading a `multiprocessing.Queue`."""

    name = "local-mp-queue"
    deviations = (
        Deviation(
            "QUEUE-GET-ZERO-TIMEOUT",
            "a request that has been put may still be on its way through the queue's thread",
            sometimes=True,
        ),
    )

    def make_queue(self) -> Any:
        return multiprocessing.Queue()

    def open_queue(self) -> OpenQueue:
        mp_queue: Any = multiprocessing.Queue()
        # What is left unread is not to hold up this process's exit.
        mp_queue.cancel_join_thread()
        return OpenQueue(MultiprocessingRequestQueue(mp_queue), mp_queue, mp_queue.close)

    def idle_server(
        self,
        max_interval: float,
        clock: ControlledClock,
        reap: Callable[[Any], bool] | None = None,
    ) -> IdleServer:
        idle = super().idle_server(max_interval, clock, reap)
        mp_queue = idle.server._mp_queue
        mp_queue.cancel_join_thread()
        return replace(idle, close=mp_queue.close)

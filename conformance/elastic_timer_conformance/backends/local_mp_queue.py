"""Our LocalTimerServer on a multiprocessing.Queue, as code written for PyTorch uses it."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

from elastic_timer import MultiprocessingRequestQueue

from elastic_timer_conformance.backend import Deviation, IdleServer, OpenQueue
from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.backends.mp_queue_bytes import send_bytes, send_half, settle
from elastic_timer_conformance.clock import ControlledClock

# Its notes say that a process which is killed while it uses a queue may leave it unusable.
QUEUE_PAGE = "https://docs.python.org/3/library/multiprocessing.html#pipes-and-queues"


class LocalMpQueueBackend(LocalBackend):
    """Judges `elastic_timer` with its local server reading a `multiprocessing.Queue`."""

    name = "local-mp-queue"
    when_full = None
    when_unavailable = None
    deviations = (
        Deviation(
            "QUEUE-GET-ZERO-TIMEOUT",
            "a request that has been put may still be on its way through the queue's thread",
            QUEUE_PAGE,
            # The thread wins or loses a race against the reader; nothing holds it up for sure.
            sometimes=True,
        ),
        Deviation(
            "QUEUE-KILLED-PRODUCER",
            "producers share a lock, and one that is killed while it holds it leaves it locked",
            QUEUE_PAGE,
        ),
        Deviation(
            "QUEUE-STALLED-PRODUCER",
            "producers share a lock, and one that is stopped while it holds it holds up the others",
            QUEUE_PAGE,
        ),
        Deviation(
            "QUEUE-BACKPRESSURE",
            "what the pipe has no room for is kept in the worker's memory, however much it is",
            QUEUE_PAGE,
        ),
        Deviation(
            "CLIENT-ARMED",
            "a thread of the worker sends the request after acquire has returned, if it still can",
            QUEUE_PAGE,
        ),
        Deviation(
            "CLIENT-FORK",
            "a forked child has no thread that sends its requests, and may find a lock locked",
            QUEUE_PAGE,
        ),
        Deviation(
            "CLIENT-UNAVAILABLE",
            "every worker can read the queue too, so writing to it does not fail without a server",
            QUEUE_PAGE,
        ),
        Deviation(
            "WATCHDOG-NO-FALSE-REAP",
            "a release that was made in time may still be in the worker, waiting for its thread",
            QUEUE_PAGE,
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
        return _with_close(super().idle_server(max_interval, clock, reap))

    def send_raw(self, server: Any, data: bytes) -> None:
        send_bytes(server._mp_queue, data)

    def send_part(self, server: Any, request: Any) -> None:
        send_half(server._mp_queue, request)

    def raw_request(self, request: Any) -> bytes:
        return pickle.dumps(request)

    def observed_server(
        self,
        max_interval: float,
        on_event: Callable[[Any], None],
        reap: Callable[[Any], bool] | None = None,
    ) -> IdleServer:
        return _with_close(super().observed_server(max_interval, on_event, reap))


def _with_close(idle: IdleServer) -> IdleServer:
    mp_queue = idle.server._mp_queue
    # What is left unread is not to hold up this process's exit.
    mp_queue.cancel_join_thread()
    return IdleServer(idle.server, idle.put, mp_queue.close, partial(settle, mp_queue))

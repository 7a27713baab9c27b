"""Our LocalTimerServer on a multiprocessing.Queue, as code written for PyTorch uses it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import struct
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
    when_full = None
    when_unavailable = None
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
        return _with_close(super().idle_server(max_interval, clock, reap))

    def send_raw(self, server: Any, data: bytes) -> None:
        # What `put` does with something whose pickle nobody else can load.
        server._mp_queue._sem.acquire()
        with server._mp_queue._wlock:
            server._mp_queue._writer.send_bytes(data)

    def send_part(self, server: Any, request: Any) -> None:
        # As `Connection` does it: a length in four bytes, and then so many bytes. Whoever writes
        # holds the queue's lock, and one who stops does not give it back.
        message = pickle.dumps(request)
        server._mp_queue._wlock.acquire()
        start = struct.pack("!i", len(message)) + message[: len(message) // 2]
        os.write(server._mp_queue._writer.fileno(), start)

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
    return replace(idle, close=mp_queue.close)

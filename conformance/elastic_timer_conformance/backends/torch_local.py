"""PyTorch's LocalTimerServer on a multiprocessing.Queue."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

from elastic_timer_conformance.backend import Backend, Deviation, IdleServer, OpenQueue
from elastic_timer_conformance.backends.torch_common import (
    EXPIRES_DEVIATIONS,
    api,
    replace_clock,
    source,
    version,
)
from elastic_timer_conformance.clock import ControlledClock

# After torch_common, which keeps the import quiet.
from torch.distributed.elastic.timer.local_timer import (  # isort: skip
    LocalTimerClient,
    LocalTimerServer,
    MultiprocessingRequestQueue,
)


class TorchLocalBackend(Backend):
    """Judges `torch.distributed.elastic.timer` with its local server."""

    name = "torch-local"
    # A queue has to be made for the start method of its workers; a host's default fits.
    deviations = (
        *EXPIRES_DEVIATIONS,
        Deviation(
            "QUEUE-GET-ZERO-TIMEOUT",
            "get() stops after one request, since the time that it took used up the timeout",
            source(MultiprocessingRequestQueue.get),
        ),
    )

    @property
    def api(self) -> Any:
        # The package itself does not have RequestQueue.
        return api

    def version(self) -> str:
        return version()

    def start_server(self, max_interval: float) -> Any:
        server = LocalTimerServer(multiprocessing.Queue(), max_interval)
        server.start()
        return server

    def client(self, server: Any) -> Any:
        return LocalTimerClient(server._request_queue._mp_queue)

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
        mp_queue: Any = multiprocessing.Queue()
        mp_queue.cancel_join_thread()
        server = LocalTimerServer(mp_queue, max_interval)
        if reap is not None:
            server._reap_worker = reap
        restore_clock = replace_clock(api, time=clock.time)

        def close() -> None:
            restore_clock()
            mp_queue.close()

        return IdleServer(server, mp_queue.put, close)

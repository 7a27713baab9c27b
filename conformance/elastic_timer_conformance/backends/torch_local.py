"""PyTorch's LocalTimerServer on a multiprocessing.Queue."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch.distributed.elastic import timer
from torch.distributed.elastic.timer import api as timer_api
from torch.distributed.elastic.timer.local_timer import MultiprocessingRequestQueue

from elastic_timer_conformance.backend import Backend, Deviation, IdleServer, OpenQueue
from elastic_timer_conformance.clock import ControlledClock

SOURCE = "https://github.com/pytorch/pytorch/blob/v2.13.0/torch/distributed/elastic/timer/"


class TorchLocalBackend(Backend):
    """Judges `torch.distributed.elastic.timer` with its local server."""

    name = "torch-local"
    # A queue has to be made for the start method of its workers; a host's default fits.
    deviations = (
        Deviation(
            "QUEUE-GET-ZERO-TIMEOUT",
            "get() stops after one request, since the time that it took used up the timeout",
            SOURCE + "local_timer.py",
        ),
        Deviation(
            "EXPIRES-DEFAULT-SCOPE",
            "the caller that is looked up is contextlib's, so every scope is contextlib.py#137",
            SOURCE + "api.py",
        ),
        Deviation(
            "EXPIRES-DEFAULT-SCOPE-DISTINCT",
            "all default scopes are one, so the end of an inner block disarms the outer one",
            SOURCE + "api.py",
        ),
    )

    @property
    def api(self) -> Any:
        # The package itself does not have RequestQueue.
        return timer_api

    def version(self) -> str:
        return f"torch {torch.__version__}"

    def start_server(self, max_interval: float) -> Any:
        server = timer.LocalTimerServer(multiprocessing.Queue(), max_interval)
        server.start()
        return server

    def client(self, server: Any) -> Any:
        return timer.LocalTimerClient(server._request_queue._mp_queue)

    def open_queue(self) -> OpenQueue:
        mp_queue: Any = multiprocessing.Queue()
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
        server = timer.LocalTimerServer(mp_queue, max_interval)
        if reap is not None:
            server._reap_worker = reap
        # PyTorch has no place to hand in a clock: the name `time` in its module is all there is.
        real_time = timer_api.time
        timer_api.time = SimpleNamespace(time=clock.time)

        def close() -> None:
            timer_api.time = real_time
            mp_queue.close()

        return IdleServer(server, mp_queue.put, close)

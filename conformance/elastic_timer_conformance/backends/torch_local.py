"""PyTorch's LocalTimerServer on a multiprocessing.Queue."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

from elastic_timer_conformance.backend import Backend, Deviation, IdleServer, OpenQueue
from elastic_timer_conformance.backends.mp_queue_bytes import send_bytes, send_half, settle
from elastic_timer_conformance.backends.torch_common import (
    EXPIRES_DEVIATIONS,
    api,
    prepare_logging,
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
        Deviation(
            "QUEUE-KILLED-PRODUCER",
            "producers share the queue's lock; one that is killed while it holds it leaves it "
            "locked for ever",
            source(LocalTimerClient.acquire),
        ),
        Deviation(
            "QUEUE-STALLED-PRODUCER",
            "producers share the queue's lock; one that is stopped while it holds it stops all "
            "others",
            source(LocalTimerClient.acquire),
        ),
        Deviation(
            "QUEUE-MALFORMED",
            "what cannot be unpickled ends the watchdog, and what it had read before is lost",
            source(MultiprocessingRequestQueue.get),
        ),
        Deviation(
            "QUEUE-BACKPRESSURE",
            "what the pipe has no room for is kept in the worker's memory, however much it is",
            source(LocalTimerClient.acquire),
        ),
        Deviation(
            "CLIENT-ARMED",
            "a thread of the worker sends the request after acquire has returned, if it still can",
            source(LocalTimerClient.acquire),
        ),
        Deviation(
            "CLIENT-FORK",
            "a forked child lacks the queue's thread that sends, or finds a lock of its "
            "parent's locked",
            source(LocalTimerClient.acquire),
        ),
        Deviation(
            "CLIENT-UNAVAILABLE",
            "acquire returns as if the timer were armed, since nobody notices that the server "
            "is dead",
            source(LocalTimerClient.acquire),
        ),
        Deviation(
            "SERVER-INVALID",
            "max_interval is not checked: with zero, a negative number, NaN or infinity the "
            "watchdog runs without a pause",
            source(LocalTimerServer.__init__),
        ),
        Deviation(
            "SERVER-START-IDEMPOTENT",
            "a second start() runs a second loop on the same table, and stop() ends neither for "
            "sure",
            source(LocalTimerServer.start),
        ),
        Deviation(
            "SERVER-STOP-IDEMPOTENT",
            "after a stop() before the start, start() runs a loop that ends at once",
            source(LocalTimerServer.stop),
        ),
        Deviation(
            "SERVER-RESTART",
            "the flag that ends the loop is not taken back, so start() after stop() enforces "
            "nothing, in silence",
            source(LocalTimerServer.start),
        ),
        Deviation(
            "WATCHDOG-PROMPT",
            "the watchdog waits for a request for all of max_interval, whatever expires meanwhile",
            source(LocalTimerServer._run_watchdog),
        ),
        Deviation(
            "WATCHDOG-NO-FALSE-REAP",
            "the time is sampled after the queue has been read, so that a release which came in "
            "between, or was left unread, counts as not made",
            source(LocalTimerServer._run_watchdog),
        ),
        Deviation(
            "PROCESS-EXITED",
            "nobody looks whether a worker is alive: its timers stay until they expire, and are "
            "then carried out",
            source(LocalTimerServer.get_expired_timers),
        ),
        Deviation(
            "PROCESS-PID-REUSE",
            "a worker is a number, and whichever process has it by now is killed",
            source(LocalTimerServer._reap_worker),
        ),
        Deviation(
            "PROCESS-NEVER-BROADCAST",
            "the worker id is handed to kill(2) as it is, 0 and -1 included",
            source(LocalTimerServer._reap_worker),
        ),
        Deviation(
            "CLOCK-STEP",
            "timers are judged by the wall clock",
            source(LocalTimerServer._run_watchdog),
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
        prepare_logging()
        mp_queue: Any = multiprocessing.Queue()
        mp_queue.cancel_join_thread()
        server = LocalTimerServer(mp_queue, max_interval)
        if reap is not None:
            server._reap_worker = reap
        restore_clock = replace_clock(api, time=clock.time)

        def close() -> None:
            restore_clock()
            mp_queue.close()

        return IdleServer(server, mp_queue.put, close, partial(settle, mp_queue))

    def send_raw(self, server: Any, data: bytes) -> None:
        send_bytes(server._request_queue._mp_queue, data)

    def send_part(self, server: Any, request: Any) -> None:
        send_half(server._request_queue._mp_queue, request)

    def raw_request(self, request: Any) -> bytes:
        return pickle.dumps(request)

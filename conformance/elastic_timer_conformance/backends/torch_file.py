"""PyTorch's FileTimerServer on a named pipe.

It is a family of its own: no subclass of TimerServer, no request queue, and methods that take
more arguments than those of the interface. `IdleFileServer` brings these back to the interface.
"""

from __future__ import annotations

import importlib
import os
import signal
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from elastic_timer_conformance.backend import Backend, Capability, Deviation, IdleServer, Refusal
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
from torch.distributed.elastic.timer import file_based_local_timer as timer  # isort: skip

RUN_ID = "conformance"

# Seconds. How often to look whether a thread has come as far as it has to.
LOOK_AGAIN = 0.005


class TorchFileBackend(Backend):
    """Judges `torch.distributed.elastic.timer` with its file-based server.

    The server ends its own process whenever it has reaped a worker, which is why servers belong
    into host processes.
    """

    name = "torch-file"
    # The exit status of a child of the host is known when the server has ended the host.
    start_methods = ("fork", "spawn", "forkserver")
    capabilities = frozenset({Capability.SIGNAL, Capability.HEALTH})
    # Seconds: ten attempts to open the pipe, a tenth apart.
    when_unavailable = Refusal(BrokenPipeError, within=1.0)
    deviations = (
        *EXPIRES_DEVIATIONS,
        Deviation(
            "SERVER-SURVIVES",
            "after it has reaped a worker, the server sends the same signal to its own process",
            source(timer.FileTimerServer._run_watchdog),
        ),
        Deviation(
            "SECURITY-PERMISSIONS",
            "the pipe is made with the permissions that the umask leaves, for other users too",
            source(timer.FileTimerServer.__init__),
        ),
        Deviation(
            "QUEUE-BACKPRESSURE",
            "a full pipe raises BlockingIOError at once, out of the user's block",
            source(timer.FileTimerClient._send_request),
        ),
        Deviation(
            "QUEUE-STALLED-PRODUCER",
            "readline() waits without a limit for the end of a line",
            source(timer.FileTimerServer._get_requests),
        ),
        Deviation(
            "QUEUE-MALFORMED",
            "a line that is no request ends the watchdog, and what it had read before is lost",
            source(timer.FileTimerServer._get_requests),
        ),
        Deviation(
            "CLIENT-UNAVAILABLE",
            "a worker that was forked keeps the pipe's reading end open, so that nobody notices "
            "that the server is dead",
            source(timer.FileTimerServer._watchdog_loop),
        ),
        Deviation(
            "SERVER-STOP-NO-REAP",
            "stop() ends the reading, and the table is judged once more without what is unread",
            source(timer.FileTimerServer.stop),
        ),
        Deviation(
            "WATCHDOG-NO-FALSE-REAP",
            "the server sleeps between reading and judging, and a release sent meanwhile counts as "
            "not made",
            source(timer.FileTimerServer._get_requests),
        ),
        Deviation(
            "SERVER-INVALID",
            "max_interval is not checked: what is no time to wait for is handed to the watchdog",
            source(timer.FileTimerServer.__init__),
        ),
        Deviation(
            "SERVER-START-IDEMPOTENT",
            "a second start() runs a second loop on the same table and the same pipe",
            source(timer.FileTimerServer.start),
        ),
        Deviation(
            "SERVER-STOP-IDEMPOTENT",
            "stop() before the start removes the pipe, and start() then runs no loop",
            source(timer.FileTimerServer.stop),
        ),
        Deviation(
            "SERVER-RESTART",
            "stop() has removed the pipe, and start() does not make it again",
            source(timer.FileTimerServer.stop),
        ),
        Deviation(
            "WATCHDOG-PROMPT",
            "the watchdog reads for all of max_interval, whatever expires meanwhile",
            source(timer.FileTimerServer._get_requests),
        ),
        Deviation(
            "PROCESS-EXITED",
            "a worker that has exited counts as running for as long as its parent has not waited "
            "for it, and so its timers stay",
            source(timer.FileTimerServer.is_process_running),
        ),
        Deviation(
            "PROCESS-PID-REUSE",
            "a worker is a number, and whichever process has it by now is killed",
            source(timer.FileTimerServer._reap_worker),
        ),
        Deviation(
            "PROCESS-NEVER-BROADCAST",
            "the worker id is handed to kill(2) as it is, 0 and -1 included",
            source(timer.FileTimerServer._reap_worker),
        ),
        Deviation(
            "CLOCK-STEP",
            "timers are judged by the wall clock",
            source(timer.FileTimerServer._run_watchdog),
        ),
        Deviation(
            "WATCHDOG-FAIR",
            "beside a worker that floods the pipe is full, and another worker's acquire raises "
            "BlockingIOError: its timer is not armed at all",
            source(timer.FileTimerClient._send_request),
            # There is room for a moment whenever the server has read.
            sometimes=True,
        ),
        Deviation(
            "WATCHDOG-LATENCY",
            "after the first worker that is reaped the server is dead, and reaps no other",
            source(timer.FileTimerServer._run_watchdog),
            # Workers that are found late in one watchdog are all reaped.
            sometimes=True,
        ),
        Deviation(
            "WATCHDOG-REAP-RAISES",
            "an exception from _reap_worker ends the watchdog: no timer is cleared, and other late "
            "workers are left to the next one",
            source(timer.FileTimerServer._run_watchdog),
        ),
        Deviation(
            "WATCHDOG-REAP-FAILED",
            "the worker counts as reaped before the attempt, so that one that fails is announced "
            "to be repeated while the timers are dropped",
            source(timer.FileTimerServer._run_watchdog),
        ),
    )

    @property
    def api(self) -> Any:
        return SimpleNamespace(
            TimerRequest=api.TimerRequest,
            TimerClient=api.TimerClient,
            RequestQueue=None,
            TimerServer=None,
            configure=api.configure,
            expires=api.expires,
        )

    def version(self) -> str:
        return version()

    def start_server(self, max_interval: float) -> Any:
        server = timer.FileTimerServer(new_path(), RUN_ID, max_interval)
        server.start()
        return server

    def restart_server(self, server: Any) -> None:
        # To log that the pipe is gone, the thread imports PyTorch's compiler, which takes seconds.
        # A worker that is forked meanwhile finds the import locked for ever, and hangs over that
        # instead of telling what is tested.
        importlib.import_module("torch._dynamo.config")
        server.start()
        server._watchdog_thread.join(0.2)

    def start_server_with_signal(self, max_interval: float, signal_number: int) -> Any:
        server = self.start_server(max_interval)
        # It is the client that says which signal is sent.
        server.signal_of_clients = signal_number
        return server

    def client(self, server: Any) -> Any:
        number = getattr(server, "signal_of_clients", signal.SIGKILL)
        return timer.FileTimerClient(server._file_path, number)

    def request(self, worker_id: Any, scope_id: str, expiration_time: float) -> Any:
        return timer.FileTimerRequest(worker_id, scope_id, expiration_time, signal.SIGKILL)

    def last_progress_time(self, server: Any) -> float:
        return float(server.get_last_progress_time())

    def send_raw(self, server: Any, data: bytes) -> None:
        Path(server._file_path).write_bytes(data)

    def send_part(self, server: Any, request: Any) -> None:
        data = self.raw_request(request)
        # Never closed: this writer stays as it is for as long as its process lives.
        os.write(os.open(server._file_path, os.O_WRONLY), data[: len(data) // 2])

    def raw_request(self, request: Any) -> bytes:
        return f"{request.to_json()}\n".encode()

    def transport_paths(self, server: Any) -> Sequence[str]:
        return [server._file_path]

    def idle_server(
        self,
        max_interval: float,
        clock: ControlledClock,
        reap: Callable[[Any], bool] | None = None,
    ) -> IdleServer:
        prepare_logging()
        server = IdleFileServer(max_interval, clock, reap)
        client = timer.FileTimerClient(server._file_path)
        return IdleServer(server, client._send_request, server.close)


class IdleFileServer:
    """A FileTimerServer whose watchdogs and reaping have the interface's signatures."""

    def __init__(
        self, max_interval: float, clock: ControlledClock, reap: Callable[[Any], bool] | None
    ) -> None:
        self._file_path = new_path()
        self._server = timer.FileTimerServer(self._file_path, RUN_ID, max_interval)
        self._max_interval = max_interval
        self._clock = clock
        # When the watchdog began that a loop runs; None while watchdogs are run one by one.
        self._began: float | None = None
        self._has_read_all = False
        self._restore_clock = replace_clock(timer, time=self._time, sleep=self._sleep)
        self._run_one = self._server._run_watchdog
        self._reap_one = self._server._reap_worker
        if reap is not None:
            self._reap_worker = reap  # type: ignore[method-assign, assignment]
        self._loop = self._server._watchdog_loop
        self._server._watchdog_loop = self._loop_while_there_is_a_pipe
        self._server._run_watchdog = self._run_in_loop
        self._server._reap_worker = self._reap_in_watchdog
        # A reader lets clients in. Opening it must not wait for one; reading has to, as the
        # server's own reading does.
        descriptor = os.open(self._file_path, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(descriptor, True)
        self._pipe = open(descriptor, encoding="utf-8")  # noqa: SIM115
        self.register_timers = self._server.register_timers
        self.clear_timers = self._server.clear_timers
        self.get_expired_timers = self._server.get_expired_timers
        self.stop = self._server.stop

    def start(self) -> None:
        """Start the loop, which does nothing until a first client has opened the pipe."""
        self._began = time.monotonic()
        self._server._is_client_started = False
        self._server.start()
        thread = self._server._watchdog_thread
        # Be that client: what is tested is the loop and not the time before it. The pipe may have
        # been removed by stop(), and then the thread ends.
        with suppress(FileNotFoundError):
            client = os.open(self._file_path, os.O_WRONLY)
            while thread.is_alive() and not self._server._is_client_started:
                time.sleep(LOOK_AGAIN)
            os.close(client)

    def close(self) -> None:
        """Give back the clock and the pipe."""
        self._restore_clock()
        self._pipe.close()
        Path(self._file_path).unlink(missing_ok=True)

    def _run_watchdog(self) -> None:
        self._run_one(self._pipe)

    def _loop_while_there_is_a_pipe(self) -> None:
        # The server has logged it; pytest would tell of the thread's end once more.
        with suppress(FileNotFoundError):
            self._loop()

    def _run_in_loop(self, pipe: Any) -> None:
        self._began = time.monotonic()
        self._pipe, mine = pipe, self._pipe
        try:
            self._run_watchdog()
        finally:
            self._pipe = mine

    def _reap_worker(self, worker_id: int) -> bool:
        reaped: bool = self._reap_one(worker_id, signal.SIGKILL)
        return reaped

    def _reap_in_watchdog(self, worker_id: int, _signal: int) -> bool:
        if worker_id == os.getpid():
            # SERVER-SURVIVES is judged where it does no harm: in a host process.
            return True
        return self._reap_worker(worker_id)

    # A watchdog reads until `max_interval` has passed by the same clock that it judges by, which
    # stands still. In a loop, real time passes beside it. One that is run by itself is told that
    # its time for reading is over when it has found nothing more to read and is about to wait.

    def _sleep(self, seconds: float) -> None:
        if self._began is None:
            self._has_read_all = True
        else:
            time.sleep(seconds)

    def _time(self) -> float:
        passed = 0.0 if self._began is None else time.monotonic() - self._began
        if self._has_read_all:
            self._has_read_all = False
            passed = self._max_interval + 1
        return self._clock.time() + passed


def new_path() -> str:
    """Return a path for a pipe, in a directory that everybody can look into, as users have it."""
    return os.path.join(tempfile.gettempdir(), f"timers-{uuid.uuid4()}")

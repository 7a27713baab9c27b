"""Timers through a named pipe: workers need to know its path, and nothing else.

Clients and servers speak PyTorch's lines of JSON (see :mod:`elastic_timer.file_timer_request`), so
that either side can be that of ``torch.distributed.elastic.timer``: a worker under ``torchrun``,
for instance, whose agent runs PyTorch's server.
"""

from __future__ import annotations

import logging
import os
import signal as signals
from collections.abc import Callable, Iterable
from typing import Any

from .api import TimerRequest
from .clock import SYSTEM_CLOCK, Clock, Instant
from .events import EventListener, EventName
from .file_timer_client import FileTimerClient
from .file_timer_request import FileRequestReader, FileTimerRequest
from .named_pipe import NamedPipe
from .process_server import ProcessTimerServer
from .reaper import reap

__all__ = ["FileTimerClient", "FileTimerRequest", "FileTimerServer"]

logger = logging.getLogger(__name__)

LogEvent = Callable[[str, FileTimerRequest | None], None]


class FileTimerServer(ProcessTimerServer):
    """A server for the workers of one host that know the path of its named pipe.

    It makes the pipe at once, for its own user only (SECURITY-PERMISSIONS): requests that arrive
    before :meth:`start` wait in it. One that a dead server has left behind is taken over; anything
    else at the path is left alone.

    Args:
        file_path: where the named pipe is to be; its directory has to exist.
        run_id: names the job; it appears in the log.
        max_interval: how long one watchdog waits for a request at the most, in seconds. A timer
            that expires earlier ends the wait, so this does not delay any reaping. The timers of a
            worker that has exited leave the table within it (PROCESS-EXITED).
        daemon: whether the watchdog's thread lets the interpreter exit.
        log_event: is told of ``"watchdog started"`` and ``"watchdog stopped"`` with ``None``, and
            of ``"timer expired"`` and ``"kill worker process"`` with the request. What it raises
            is logged and changes nothing.
        clock: where the time comes from.
        on_event: is told of everything that happens (OBSERVE-EVENTS).

    Raises:
        FileExistsError: there is something else at ``file_path``, or another server reads it.
        OSError: the path cannot be used for another reason.
    """

    def __init__(
        self,
        file_path: str | os.PathLike[str],
        run_id: str,
        max_interval: float = 10,
        daemon: bool = True,
        log_event: LogEvent | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        on_event: EventListener | None = None,
    ) -> None:
        self._file_path = os.path.abspath(file_path)
        self._run_id = run_id
        self._log_event = log_event
        self._request_count = 0  # how many requests have been registered
        self._pipe = NamedPipe(self._file_path, FileRequestReader())
        try:
            super().__init__(self._pipe, max_interval, daemon, clock=clock, on_event=on_event)
        except BaseException:
            self._pipe.close()
            raise
        self._pipe.on_malformed = self._report_malformed

    def client(self, signal: int = signals.SIGKILL) -> FileTimerClient:
        """Return a client to hand to workers, as an argument of their process.

        Args:
            signal: see :class:`FileTimerClient`.
        """
        return FileTimerClient(self._file_path, signal)

    def start(self) -> None:
        """Start the watchdog's thread, and return; a server that runs already keeps running.

        After :meth:`stop`, a new pipe is made at the path; timers that were armed still are.

        Raises:
            FileExistsError: see the class.
        """
        self._pipe.open()
        super().start()

    def stop(self) -> None:
        """Stop the watchdog's thread, and remove the pipe.

        Requests that were sent before are kept for :meth:`start`; nobody is reaped because of it.
        """
        super().stop()
        self._pipe.close()

    def run_once(self) -> None:
        """Serve the requests that are there, judge all timers once, and stop."""
        self._loop.stop()
        self._pipe.wake()  # what is there is enough
        self._run_watchdog()
        self.stop()

    @staticmethod
    def is_process_running(pid: int) -> bool:
        """Tell whether there is such a process that this one may signal."""
        try:
            os.kill(pid, 0)
        except (OSError, OverflowError):
            return False
        return True

    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        """Take over requests, in their order; a negative expiration time releases."""
        self._request_count += len(timer_requests)
        super().register_timers(timer_requests)

    def _enforce(self, worker_id: int, timers: list[TimerRequest], now: Instant) -> bool:
        """Reap a worker for the first timer that has a signal; if none has, let it be.

        Then the expired timers are dropped, and those that have time left stay.
        """
        for timer in timers:
            if _with_signal(timer).signal > 0:
                return super()._enforce(worker_id, [timer, *timers], now)
        self._let_be(worker_id, timers)
        return False

    def _reap_for(self, worker_id: int, timer: TimerRequest) -> bool:
        timer = _with_signal(timer)
        reaped = self._reap_worker(worker_id, timer.signal)
        if reaped:
            self._log("kill worker process", timer)
        return reaped

    def _reap_worker(self, worker_id: int, signal: int = signals.SIGKILL) -> bool:
        """Signal a worker. The id that comes out of the table knows the worker's start time."""
        return reap(worker_id, signal)

    def _tell_expired(self, worker_id: Any, timers: Iterable[TimerRequest], now: Instant) -> None:
        timers = list(timers)
        for timer in timers:
            self._log("timer expired", _with_signal(timer))
        super()._tell_expired(worker_id, timers, now)

    def _tell(self, name: EventName, *details: Any, **more: Any) -> None:
        if name == "started":
            self._log("watchdog started", None)
        elif name == "stopped":
            self._log("watchdog stopped", None)
        super()._tell(name, *details, **more)

    def _log(self, name: str, timer: FileTimerRequest | None) -> None:
        if self._log_event is None:
            return
        try:
            self._log_event(name, timer)
        except Exception:
            logger.exception("run %s: the log_event callback failed on %r", self._run_id, name)


def _with_signal(timer: TimerRequest) -> FileTimerRequest:
    """Return a request that says its signal; one that says nothing asks for SIGKILL."""
    if isinstance(timer, FileTimerRequest):
        return timer
    return FileTimerRequest(timer.worker_id, timer.scope_id, timer.expiration_time, signals.SIGKILL)

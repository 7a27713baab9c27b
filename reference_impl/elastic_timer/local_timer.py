"""Timers for workers that the server's process starts: requests travel in a pipe.

A ``multiprocessing.Queue`` may carry them instead, for code that was written for PyTorch; what
such a queue cannot give is listed with the deviations of the backend ``local-mp-queue``.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from queue import Empty
from typing import Any, Protocol, cast

from .api import RequestQueue, TimerClient, TimerRequest
from .clock import SYSTEM_CLOCK, Clock, acquirable
from .events import EventListener
from .process_server import ProcessTimerServer
from .request_pipe import RequestPipe, RequestPipeWriter
from .worker import current_worker

__all__ = [
    "LocalTimerClient",
    "LocalTimerServer",
    "MultiprocessingRequestQueue",
    "RequestPipe",
    "RequestPipeWriter",
]

logger = logging.getLogger(__name__)

_WAKE_INTERVAL = 0.25
"""Seconds for which a ``multiprocessing.Queue``, which cannot be woken, is waited for at a time."""

_PAUSE = 0.1
"""Seconds before a queue that gave nothing, which may be nothing but errors, is read again."""


class _Sink(Protocol):
    def put(self, request: TimerRequest, /) -> object: ...


class LocalTimerClient(TimerClient):
    """A worker's client of a :class:`LocalTimerServer` on the same host.

    It identifies the process that uses it, whoever made it: it can be handed to a worker under any
    start method, and a forked child may go on using its parent's (CLIENT-FORK).

    Args:
        mp_queue: the server's request pipe (or its writer), or the ``multiprocessing.Queue`` that
            was given to the server. Most easily had from ``server.client()``.
    """

    def __init__(self, mp_queue: _Sink) -> None:
        super().__init__()
        self._mp_queue = mp_queue

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        """Arm the calling worker's timer for ``scope_id``.

        Args:
            scope_id: any text; with a pipe, up to about 3,900 bytes of UTF-8.
            expiration_time: seconds since the epoch; it is taken to the monotonic clock at once.

        Raises:
            ValueError: the time is negative, NaN or infinite; nothing was sent.
            RequestTooLargeError, RequestQueueFullError, ServerUnavailableError: see
                :meth:`RequestPipe.put`.
        """
        request = TimerRequest(current_worker(), scope_id, acquirable(expiration_time))
        self._mp_queue.put(request)

    def release(self, scope_id: str) -> None:
        """Disarm the calling worker's timer for ``scope_id``, if it is armed.

        Raises:
            RequestTooLargeError, RequestQueueFullError, ServerUnavailableError: see
                :meth:`RequestPipe.put`.
        """
        self._mp_queue.put(TimerRequest(current_worker(), scope_id, -1))


class MultiprocessingRequestQueue(RequestQueue):
    """A request queue on a ``multiprocessing.Queue``.

    Args:
        mp_queue: the queue that the clients put their requests in.
    """

    def __init__(self, mp_queue: Any) -> None:
        super().__init__()
        self._mp_queue = mp_queue
        self._woken = False
        self.on_malformed: Callable[[object], None] = _log_malformed

    def size(self) -> int:
        """Return how many requests have been put and not yet been got."""
        return int(self._mp_queue.qsize())

    def get(self, size: int, timeout: float) -> list[TimerRequest]:
        """Return up to ``size`` requests: as soon as there are that many, or after ``timeout``."""
        deadline = time.monotonic() + timeout
        requests: list[TimerRequest] = []
        # What is malformed takes the place of a request, so that a queue that always raises, a
        # closed one for instance, ends this loop.
        for _ in range(size):
            try:
                requests.append(self._next(deadline))
            except Empty:
                break
            except Exception as error:
                # Unpickling what somebody has put may raise anything (QUEUE-MALFORMED).
                self.on_malformed(f"skipped what cannot be unpickled: {error!r:.200}")
        if not requests:
            # A queue that always raises may not keep the processor busy either.
            time.sleep(min(_PAUSE, _left(deadline)))
        self._woken = False
        return requests

    def _next(self, deadline: float) -> TimerRequest:
        """Return the next request; raise `Empty` if none comes in time, or ``get`` is woken."""
        while True:
            left = _left(deadline)
            try:
                request: TimerRequest = self._mp_queue.get(timeout=min(left, _WAKE_INTERVAL))
                return request
            except Empty:
                if left <= _WAKE_INTERVAL or self._woken:
                    raise

    def wake(self) -> None:
        """Make a waiting ``get`` return within half a second."""
        self._woken = True


def _left(deadline: float) -> float:
    """Return how many seconds there are left until a monotonic time."""
    return max(0.0, deadline - time.monotonic())


def _log_malformed(problem: object) -> None:
    logger.warning("%s", problem)


class LocalTimerServer(ProcessTimerServer):
    """A server for the workers that its process starts, on one host.

    Args:
        mp_queue: where requests come from: a :class:`RequestPipe`, another request queue, or a
            ``multiprocessing.Queue``. By default, a new request pipe.
        max_interval: how long one watchdog waits for a request at the most, in seconds. A timer
            that expires earlier ends the wait, so this does not delay any reaping. The timers of a
            worker that has exited leave the table within it (PROCESS-EXITED).
        daemon: whether the watchdog's thread lets the interpreter exit.
        clock: where the time comes from.
        on_event: is told of everything that happens (OBSERVE-EVENTS).
        reap_signal: the signal that ends a hung worker; with 0 none is sent, and expired timers
            are only told of (PROCESS-SIGNAL).
    """

    def __init__(
        self,
        mp_queue: Any = None,
        max_interval: float = 60,
        daemon: bool = True,
        *,
        clock: Clock = SYSTEM_CLOCK,
        on_event: EventListener | None = None,
        reap_signal: int = signal.SIGKILL,
    ) -> None:
        if mp_queue is None:
            mp_queue = RequestPipe()
        queue = (
            mp_queue
            if isinstance(mp_queue, RequestQueue)
            else MultiprocessingRequestQueue(mp_queue)
        )
        super().__init__(
            queue, max_interval, daemon, clock=clock, on_event=on_event, reap_signal=reap_signal
        )
        self._mp_queue = mp_queue
        if isinstance(queue, RequestPipe | MultiprocessingRequestQueue):
            queue.on_malformed = self._report_malformed

    def client(self) -> LocalTimerClient:
        """Return a client to hand to workers, as an argument of their process."""
        if isinstance(self._mp_queue, RequestPipe):
            return LocalTimerClient(self._mp_queue.writer())
        return LocalTimerClient(cast(_Sink, self._mp_queue))

    def start(self) -> None:
        """Start the watchdog's thread, and return; a server that runs already keeps running."""
        if isinstance(self._request_queue, RequestPipe):
            self._request_queue.read_here_only()
        super().start()

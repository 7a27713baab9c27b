"""The interface: requests, clients, request queues and servers, and the watchdog they share.

Everything here has the name and the signature that ``torch.distributed.elastic.timer.api`` gives
it, so that a backend written for PyTorch runs on this module unchanged.
"""

from __future__ import annotations

import abc
import logging
from collections.abc import Iterable
from typing import Any, Self

from .blocks import enter_block, leave_block
from .clock import SYSTEM_CLOCK, Clock, Instant, finite_seconds
from .events import EventListener, EventName, TimerEvent
from .expires import configure, expires
from .watchdog_loop import WatchdogLoop

__all__ = [
    "RequestQueue",
    "TimerClient",
    "TimerRequest",
    "TimerServer",
    "configure",
    "expires",
]

logger = logging.getLogger(__name__)


class TimerRequest:
    """A worker's wish about one of its timers: to acquire it, or to release it.

    A negative ``expiration_time`` makes it a release. Two requests are equal exactly when all three
    fields are. (REQUEST-FIELDS, REQUEST-EQUALITY, REQUEST-RELEASE)

    Args:
        worker_id: who the worker is; what identifies one is up to the backend.
        scope_id: which of the worker's timers is meant.
        expiration_time: when the timer expires, in seconds since the epoch.
    """

    __slots__ = ("expiration_time", "scope_id", "worker_id")

    def __init__(self, worker_id: Any, scope_id: str, expiration_time: float) -> None:
        self.worker_id = worker_id
        self.scope_id = scope_id
        self.expiration_time = expiration_time

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TimerRequest):
            return False
        return bool(
            self.worker_id == other.worker_id
            and self.scope_id == other.scope_id
            and self.expiration_time == other.expiration_time
        )

    # The fields may change, so there is no hash that would stay right.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(worker_id={self.worker_id!r}, scope_id={self.scope_id!r}, "
            f"expiration_time={self.expiration_time!r})"
        )


class TimerClient(abc.ABC):
    """A worker's side: acquires and releases the worker's timers with a server."""

    @abc.abstractmethod
    def acquire(self, scope_id: str, expiration_time: float) -> None:
        """Arm the calling worker's timer for ``scope_id``, in place of an earlier one.

        Args:
            scope_id: any text.
            expiration_time: seconds since the epoch, not negative.
        """

    @abc.abstractmethod
    def release(self, scope_id: str) -> None:
        """Disarm the calling worker's timer for ``scope_id``, if it is armed."""

    def enter_block(self, block: expires) -> None:
        """Arm the timer of a block that is entered; ``expires`` calls this.

        It calls :meth:`acquire`. A client that can do it faster may have its own.
        """
        enter_block(self, block)

    def leave_block(self, block: expires) -> None:
        """Disarm the timer of a block that is left, or arm it again for the block around it."""
        leave_block(self, block)


class RequestQueue(abc.ABC):
    """What a server reads its workers' requests from. One server reads a queue at a time."""

    @abc.abstractmethod
    def size(self) -> int:
        """Return how many requests a ``get`` could return now.

        Others may arrive before ``get`` is called, but none goes away. (QUEUE-SIZE,
        QUEUE-SIZE-STABLE)
        """

    @abc.abstractmethod
    def get(self, size: int, timeout: float) -> list[TimerRequest]:
        """Return up to ``size`` requests: as soon as there are that many, or after ``timeout``.

        Args:
            size: how many requests to wait for and return at the most.
            timeout: how long to wait for them at the most, in seconds; with 0, whatever has
                arrived is returned.
        """

    def wake(self) -> None:  # noqa: B027  (backends written for PyTorch do not have it)
        """Make a ``get`` that waits return early, if the queue can.

        A server that is being stopped calls this, so that nobody waits for its ``max_interval``.
        If none waits, the next one returns early.
        """


class TimerServer(abc.ABC):
    """A server: reads requests, keeps the timers, and reaps the workers whose timers expire.

    A backend overrides :meth:`register_timers`, :meth:`clear_timers`, :meth:`get_expired_timers`
    and :meth:`_reap_worker`. As a context manager, a server runs inside the ``with`` block.

    Args:
        request_queue: where the requests come from.
        max_interval: how long one watchdog waits for a request at the most, in seconds.
        daemon: whether the watchdog's thread lets the interpreter exit.
        clock: where the time comes from.
        on_event: is told of everything that happens (OBSERVE-EVENTS).

    Raises:
        TypeError, ValueError: ``max_interval`` is not a finite number above zero.
    """

    def __init__(
        self,
        request_queue: RequestQueue,
        max_interval: float,
        daemon: bool = True,
        *,
        clock: Clock = SYSTEM_CLOCK,
        on_event: EventListener | None = None,
    ) -> None:
        super().__init__()
        if finite_seconds(max_interval, "max_interval") <= 0:
            raise ValueError(f"max_interval must be more than 0 seconds, not {max_interval!r}")
        self._request_queue = request_queue
        self._max_interval = max_interval
        self._daemon = daemon
        self._clock = clock
        self._on_event = on_event
        self._loop = WatchdogLoop(
            # Looked up anew each time: a backend, or its test, may put another one in its place.
            lambda: self._run_watchdog(),
            lambda: self._request_queue.wake(),
            max_interval,
            daemon,
            f"{type(self).__name__}-watchdog",
            clock,
        )
        self._unreaped: dict[Any, set[tuple[str, float]]] = {}

    @abc.abstractmethod
    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        """Take over requests, in their order: arm, re-arm or release the timers that they name."""

    @abc.abstractmethod
    def clear_timers(self, worker_ids: set[Any]) -> None:
        """Drop all timers of these workers, and of no others."""

    @abc.abstractmethod
    def get_expired_timers(self, deadline: float) -> dict[Any, list[TimerRequest]]:
        """Return every timer whose expiration time is ≤ ``deadline``, by worker.

        Args:
            deadline: seconds since the epoch. A watchdog passes an
                :class:`~elastic_timer.clock.Instant`, which carries the monotonic deadline too.
        """

    @abc.abstractmethod
    def _reap_worker(self, worker_id: Any) -> bool:
        """Reap a worker.

        Returns:
            Whether it is dealt with. After ``False`` its timers stay, and it is tried again; an
            exception counts as ``True``.
        """

    def start(self) -> None:
        """Start the watchdog's thread, and return; a server that runs already keeps running.

        A server may be started again after :meth:`stop`. (SERVER-START-NONBLOCKING,
        SERVER-START-IDEMPOTENT, SERVER-RESTART)
        """
        if self._loop.start():
            logger.info(
                "started %s: max_interval=%s s, daemon=%s",
                type(self).__name__,
                self._max_interval,
                self._daemon,
            )
            self._tell("started")
        else:
            logger.info("%s is running already", type(self).__name__)

    def stop(self) -> None:
        """Stop the watchdog's thread; a server that does not run stays stopped.

        It returns at once where the request queue can be woken, else within ``max_interval``.
        Nobody is reaped because of it. (SERVER-STOP-BOUNDED, SERVER-STOP-IDEMPOTENT,
        SERVER-STOP-NO-REAP)
        """
        if self._loop.stop():
            logger.info("stopped %s", type(self).__name__)
            self._tell("stopped")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def get_last_progress_time(self) -> float:
        """Return when the last watchdog ended, in seconds since the epoch (OBSERVE-HEALTH).

        It is at most ``max_interval`` old, plus the length of one watchdog, while all is well.
        """
        return self._loop.last_progress_time

    def _run_watchdog(self) -> None:
        """Read the requests that are there, and reap the workers whose timers have expired.

        The time is sampled *before* the queue is read, and timers are judged as of that time:
        whatever a worker sent before then is among the requests read, so a release that was in
        time is seen before its timer is judged, however late this server runs
        (WATCHDOG-NO-FALSE-REAP).
        """
        now = Instant.now(self._clock)
        pending = self._request_queue.size()
        patience = self._patience(now, pending)
        timer_requests = self._request_queue.get(max(1, pending), patience)
        self.register_timers(timer_requests)
        unreaped, self._unreaped = self._unreaped, {}
        reaped = set()
        for worker_id, timers in self.get_expired_timers(now).items():
            known = unreaped.get(worker_id, set())
            timers = sorted(timers, key=lambda timer: timer.expiration_time)
            # As of here, and not of `now`, which may be a whole wait for requests ago.
            dealt_with = Instant.now(self._clock)
            self._tell_expired(worker_id, (t for t in timers if _key(t) not in known), dealt_with)
            if self._enforce(worker_id, timers, dealt_with):
                reaped.add(worker_id)
        self.clear_timers(reaped)

    def _enforce(self, worker_id: Any, timers: list[TimerRequest], now: Instant) -> bool:
        """Deal with a worker whose timers have expired, first of all the first of ``timers``.

        Returns:
            Whether the worker is dealt with, so that all of its timers are to be dropped.
        """
        if self._reap_worker_no_throw(worker_id, timers[0], now):
            return True
        self._unreaped[worker_id] = {_key(timer) for timer in timers}
        return False

    def _patience(self, now: Instant, pending: int) -> float:
        """Return how long this watchdog may wait for requests, in seconds.

        A server that knows its next deadline should not wait past it (WATCHDOG-PROMPT). This one
        knows only which timers have expired by now, and does not wait if there are any: so none is
        found later than ``max_interval`` (WATCHDOG-LATENCY). Those that could not be reaped before
        are left to be tried again.
        """
        if pending or self.get_expired_timers(now).keys() <= self._unreaped.keys():
            return self._max_interval
        return 0.0

    def _reap_worker_no_throw(
        self, worker_id: Any, timer: TimerRequest | None = None, now: Instant | None = None
    ) -> bool:
        """Reap a worker; an exception from the backend counts as reaped (WATCHDOG-REAP-RAISES).

        It is logged afterwards: a log that is slow, or a pipe that nobody reads, lets no worker
        live longer.
        """
        scope_id = timer.scope_id if timer else None
        lateness = _lateness(timer, now) if timer and now else 0.0
        try:
            reaped = (
                self._reap_worker(worker_id) if timer is None else self._reap_for(worker_id, timer)
            )
        except Exception as error:
            logger.exception(
                "reaping worker %s, whose timer %r has expired, raised; its timers are dropped",
                worker_id,
                scope_id,
            )
            self._tell("reap failed", worker_id, scope_id, lateness, str(error))
            return True
        if reaped:
            logger.warning("reaped worker %s: its timer %r has expired", worker_id, scope_id)
            self._tell("reaped", worker_id, scope_id, lateness)
        else:
            logger.error(
                "worker %s, whose timer %r has expired, could not be reaped; it will be retried",
                worker_id,
                scope_id,
            )
            self._tell("reap failed", worker_id, scope_id, lateness, "it will be tried again")
        return reaped

    def _reap_for(self, worker_id: Any, timer: TimerRequest) -> bool:
        """Reap a worker as the timer that has expired demands; see :meth:`_reap_worker`."""
        return self._reap_worker(worker_id)

    def _tell_expired(self, worker_id: Any, timers: Iterable[TimerRequest], now: Instant) -> None:
        for timer in timers:
            self._tell("expired", worker_id, timer.scope_id, _lateness(timer, now))

    def _tell(
        self,
        name: EventName,
        worker_id: Any = None,
        scope_id: str | None = None,
        lateness: float = 0.0,
        detail: str = "",
    ) -> None:
        if self._on_event is None:
            return
        try:
            self._on_event(TimerEvent(name, worker_id, scope_id, lateness, detail))
        except Exception:
            logger.exception("the on_event callback failed on %r", name)


def _key(timer: TimerRequest) -> tuple[str, float]:
    return timer.scope_id, timer.expiration_time


def _lateness(timer: TimerRequest, now: Instant) -> float:
    if isinstance(timer.expiration_time, Instant):
        return now.monotonic - timer.expiration_time.monotonic
    return now - timer.expiration_time

"""The formal interface: what every implementation offers, under these names.

The names, their arguments and the order of these are those of `torch.distributed.elastic.timer`,
so that code written for it runs on any implementation. The docstrings are normative in so far as
they name requirements: the requirement, not the docstring, says what is owed.

The protocols are generic over the implementation's own request class. An implementation's class
satisfies them by its shape; it need not, and should not, inherit from them.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import FunctionType
from typing import Any, Protocol, TypeVar

__all__ = [
    "Clock",
    "LocalTimerClient",
    "LocalTimerServer",
    "MultiprocessingRequestQueue",
    "ObservableTimerServer",
    "RequestQueue",
    "TimerClient",
    "TimerEvent",
    "TimerRequest",
    "TimerServer",
    "configure",
    "expires",
]

Request = TypeVar("Request", bound="TimerRequest")
ReceivedRequest = TypeVar("ReceivedRequest", bound="TimerRequest", covariant=True)


class TimerRequest(Protocol):
    """What a client sends: set or release one worker's timer for one scope.

    Meets REQUEST-FIELDS, REQUEST-EQUALITY, REQUEST-RELEASE and REQUEST-TRANSPORT.
    """

    def __init__(self, worker_id: Any, scope_id: str, expiration_time: float) -> None:
        """Make a request of exactly these three values (REQUEST-FIELDS)."""

    @property
    def worker_id(self) -> Any:
        """Who sends it: for a local transport, the number of the worker's process."""

    @property
    def scope_id(self) -> str:
        """Which of the worker's timers is meant: any text (REQUEST-TRANSPORT)."""

    @property
    def expiration_time(self) -> float:
        """When the timer expires, in seconds since the epoch; a negative number is a release
        (REQUEST-RELEASE)."""

    def __eq__(self, other: object, /) -> bool:
        """Tell whether all three values are the same (REQUEST-EQUALITY)."""


class RequestQueue(Protocol[ReceivedRequest]):
    """The server's end of the transport: one consumer, many producers in other processes.

    A subclass defines both methods (SERVER-COMPLETE).

    Meets QUEUE-ORDER, QUEUE-EXACTLY-ONCE, QUEUE-KILLED-PRODUCER, QUEUE-STALLED-PRODUCER,
    QUEUE-MALFORMED, QUEUE-BACKPRESSURE and SECURITY-NO-CODE, besides what its methods name.
    """

    def size(self) -> int:
        """Return how many requests a `get` could return now (QUEUE-SIZE, QUEUE-SIZE-STABLE)."""

    def get(self, size: int, timeout: float) -> Sequence[ReceivedRequest]:
        """Return at most `size` requests, waiting at most `timeout` seconds for them.

        QUEUE-GET-BOUNDED, QUEUE-GET-TIMEOUT, QUEUE-GET-EARLY, QUEUE-GET-COLLECTS,
        QUEUE-GET-EMPTY, QUEUE-GET-ZERO-TIMEOUT.
        """


class MultiprocessingRequestQueue(RequestQueue[ReceivedRequest], Protocol[ReceivedRequest]):
    """A request queue on top of a `multiprocessing.Queue` that somebody else has made."""

    def __init__(self, mp_queue: Any) -> None:
        """Take requests from `mp_queue`, a `multiprocessing.Queue` that clients put them on."""


class TimerClient(Protocol):
    """The worker's side: sets and releases the timers of the process that it is used in.

    A subclass defines both methods (SERVER-COMPLETE).

    Meets CLIENT-SCOPES-INDEPENDENT, CLIENT-WORKERS-INDEPENDENT, CLIENT-FORK, CLIENT-THREADS,
    CLIENT-UNAVAILABLE, PROCESS-START-METHODS, SECURITY-PERMISSIONS and SECURITY-IDENTITY,
    besides what its methods name.
    """

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        """Set this worker's timer for `scope_id` to `expiration_time`, seconds since the epoch.

        CLIENT-ACQUIRE, CLIENT-REACQUIRE, CLIENT-ARMED, REQUEST-OVERSIZE; while the server is away,
        DURABLE-SERVER-CRASH.
        """

    def release(self, scope_id: str) -> None:
        """Cancel this worker's timer for `scope_id` (CLIENT-RELEASE, CLIENT-RELEASE-VACUOUS)."""


class LocalTimerClient(TimerClient, Protocol):
    """A client that sends over a `multiprocessing.Queue`."""

    def __init__(self, mp_queue: Any) -> None:
        """Send to the server that reads `mp_queue`, a `multiprocessing.Queue`."""


class TimerServer(Protocol[Request]):
    """Keeps the timers and reaps every worker that lets one expire.

    The methods from `register_timers` to `_reap_worker` are what a backend of one's own
    defines (SERVER-COMPLETE); their names are part of the interface though one starts with an
    underscore.
    """

    def __init__(
        self, request_queue: RequestQueue[Request], max_interval: float, daemon: bool = True
    ) -> None:
        """Make a server that is not started.

        It reads `request_queue`, waits at most `max_interval` seconds in one watchdog
        (SERVER-INVALID), and `daemon` tells whether the interpreter may exit while it runs
        (SERVER-DAEMON).
        """

    def register_timers(self, timer_requests: list[Request]) -> None:
        """Apply the requests to the table, in their order.

        SERVER-REGISTER, SERVER-REGISTER-RELEASE, SERVER-REGISTER-REPLACE, SERVER-REGISTER-ORDER.
        """

    def clear_timers(self, worker_ids: set[Any]) -> None:
        """Drop every timer of these workers, and no other (SERVER-CLEAR, SERVER-MEMORY)."""

    def get_expired_timers(self, deadline: float) -> Mapping[Any, list[Request]]:
        """Return, by worker, the timers that have expired at `deadline`, seconds since the epoch.

        SERVER-EXPIRED-INCLUSIVE, SERVER-EXPIRED-GROUPED, CLOCK-PRECISION, PROCESS-EXITED.
        """

    def _reap_worker(self, worker_id: Any) -> bool:
        """End the worker's process; return whether it is gone, so that its timers may go too.

        PROCESS-REAPS-HUNG, PROCESS-ONLY-HUNG, PROCESS-GONE, PROCESS-PID-REUSE, PROCESS-STOPPED,
        PROCESS-NEVER-BROADCAST, PROCESS-SIGNAL, SERVER-SURVIVES.
        """

    def _run_watchdog(self) -> None:
        """Do one pass: fetch what was sent, register it, reap whoever had expired.

        WATCHDOG-BATCH, WATCHDOG-EMPTY-QUEUE, WATCHDOG-REAPED, WATCHDOG-REAP-FAILED,
        WATCHDOG-REAP-RAISES, WATCHDOG-NO-FALSE-REAP, WATCHDOG-FAIR.
        """

    def start(self) -> None:
        """Run the watchdog loop in the background from now on.

        SERVER-START-NONBLOCKING, SERVER-START-IDEMPOTENT, SERVER-RESTART, WATCHDOG-SURVIVES,
        WATCHDOG-CALL-COUNT, WATCHDOG-LATENCY, WATCHDOG-PROMPT; in place of a server that has
        ended, DURABLE-SERVER-CRASH, and beside one that has not, DURABLE-TAKEOVER.
        """

    def stop(self) -> None:
        """End the watchdog loop (SERVER-STOP-BOUNDED, SERVER-STOP-IDEMPOTENT,
        SERVER-STOP-NO-REAP)."""


class LocalTimerServer(TimerServer[Request], Protocol[Request]):
    """A server for the workers of its own host, which are named by their process numbers."""

    def __init__(self, mp_queue: Any, max_interval: float = 60, daemon: bool = True) -> None:
        """Make a server that reads `mp_queue`, a `multiprocessing.Queue`; not started.

        60 seconds is PyTorch's default of `max_interval`, which programs rely on.
        """


class ObservableTimerServer(TimerServer[Request], Protocol[Request]):
    """A server that can be watched in its turn; a capability, not owed by every backend."""

    def get_last_progress_time(self) -> float:
        """Return when a watchdog last ended, in seconds since the epoch (OBSERVE-HEALTH)."""


class TimerEvent(Protocol):
    """What an observable server reports of something that it did or saw (OBSERVE-EVENTS)."""

    @property
    def name(self) -> str:
        """What happened: `started`, `stopped`, `expired`, `reaped`, `reap failed` or
        `malformed request`."""

    @property
    def worker_id(self) -> Any:
        """The worker that it happened to, or None where it is about no worker."""

    @property
    def scope_id(self) -> str | None:
        """The scope of the timer, or None where it is about no timer."""

    @property
    def lateness(self) -> float | None:
        """Seconds from the deadline to the event, or None where there is no deadline."""


class Clock(Protocol):
    """The time that a server goes by; a test hands in one that it controls (CLOCK-STEP)."""

    def time(self) -> float:
        """Return the wall clock's time in seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that no one can set."""
        ...


def configure(timer_client: TimerClient | None) -> None:
    """Make `timer_client` the one that `expires` uses in this process; None: none any more."""
    raise NotImplementedError(_NO_IMPLEMENTATION)


def expires(
    after: float, scope: str | None = None, client: TimerClient | None = None
) -> AbstractContextManager[Any]:
    """Guard a block: whoever is in it for more than `after` seconds is reaped.

    `scope` names the timer; by default it is the place of the call. `client` takes the place of
    the configured one.

    EXPIRES-CONFIGURED, EXPIRES-CLIENT, EXPIRES-DEADLINE, EXPIRES-EXCEPTION, EXPIRES-RECURSION,
    EXPIRES-DEFAULT-SCOPE, EXPIRES-DEFAULT-SCOPE-DISTINCT, EXPIRES-NESTED-REARM,
    EXPIRES-THREADS, EXPIRES-TASKS, EXPIRES-INVALID, EXPIRES-DECORATOR, EXPIRES-DECORATOR-BODY,
    CLIENT-RELEASE-QUIET, PROCESS-SPARES-HEALTHY.
    """
    raise NotImplementedError(_NO_IMPLEMENTATION)


_NO_IMPLEMENTATION = "this is the formal interface: call an implementation's function"


def interface_elements() -> tuple[str, ...]:
    """Return the dotted name of every element of the interface, sorted.

    They are found by looking at this module: the public classes and functions, and of a class
    what its own body defines. An inherited method is an element of the class that it comes from.
    """
    module = sys.modules[__name__]
    found: list[str] = []
    for name in __all__:
        found.append(name)
        element: Callable[..., Any] = getattr(module, name)
        if inspect.isclass(element):
            found.extend(f"{name}.{member}" for member in _own_members(element))
    return tuple(sorted(found))


def _own_members(element: type) -> list[str]:
    # `typing` puts functions of its own into a Protocol; those are not defined in this module.
    def belongs(value: object) -> bool:
        function = value.fget if isinstance(value, property) else value
        return isinstance(function, FunctionType) and function.__module__ == __name__

    return [name for name, value in vars(element).items() if belongs(value)]

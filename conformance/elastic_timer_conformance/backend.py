"""What the author of a backend writes, so that the suite can judge it.

Subclass `Backend`, implement its four abstract methods, claim capabilities, and run
`python -m elastic_timer_conformance --backend yourmodule:YourBackend`. Every other method opens
the box a little further for more exact tests; what is not implemented makes the tests that need
it "not applicable", with the reason in the report.
"""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, NoReturn

from elastic_timer_conformance.clock import ControlledClock

__all__ = [
    "START_METHODS",
    "Backend",
    "Capability",
    "Deviation",
    "IdleServer",
    "NotOffered",
    "OpenQueue",
    "Refusal",
]

# Cheapest clean start first: forkserver starts a worker in milliseconds and inherits nothing.
START_METHODS = ("forkserver", "spawn", "fork")


class Capability(StrEnum):
    """A property that a backend may have beyond what every backend owes.

    Claiming one switches on the requirements that name it.
    """

    EVENTS = "events"
    """Reports what it does, event by event (`Backend.observed_server`)."""

    HEALTH = "health"
    """Tells when it last made progress (`Backend.last_progress_time`)."""

    SIGNAL = "signal"
    """The signal that reaps a worker can be chosen (`Backend.start_server_with_signal`)."""

    DURABLE = "durable"
    """Armed timers survive the server's death and are enforced by its replacement."""

    DISTRIBUTED = "distributed"
    """Timers of workers on several hosts, each enforced by a server of the worker's host."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """A requirement that the backend is known to violate.

    It is tested all the same and has to fail: one that is met after all fails the run, so that a
    list of deviations cannot go stale. `reason` says what happens instead; `link` leads to more.
    `sometimes` is for one that depends on timing: then a run without it proves nothing.
    """

    requirement: str
    reason: str
    link: str = ""
    sometimes: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a backend documents about calls that it cannot serve.

    They raise `error`, after `within` seconds at most.
    """

    error: type[Exception]
    within: float


class NotOffered(Exception):
    """Raised by a hook that a backend does not implement; says what it does not offer."""


@dataclass(frozen=True, slots=True)
class OpenQueue:
    """A bare request queue: what `Backend.open_queue` returns.

    `queue` has `size()` and `get(size, timeout)`. `producer` has `put(request)` and can be handed
    to a worker as a Process argument. `close` frees whatever the queue holds.
    """

    queue: Any
    producer: Any
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class IdleServer:
    """A server that has not been started: what `Backend.idle_server` returns.

    `server` has `register_timers`, `clear_timers`, `get_expired_timers`, `_reap_worker`,
    `_run_watchdog`, `start` and `stop`, and is accepted by `Backend.client` and
    `Backend.stop_server`. `put` hands it a request the way that a client does. `close` undoes
    what opening did. `settle` returns when all that was put is there for the server to read; it is
    for transports in which a thread carries a request after `put` has returned.
    """

    server: Any
    put: Callable[[Any], None]
    close: Callable[[], None] = lambda: None
    settle: Callable[[], None] = lambda: None


class Backend(ABC):
    """One implementation, as the suite sees it.

    An instance is made without arguments, in the suite's process, in host processes and in
    workers, from the text given as `--backend`. It keeps no state that they would have to share.
    """

    name: ClassVar[str]
    """The name under which it appears in reports."""

    start_methods: ClassVar[Sequence[str]] = START_METHODS
    """How its workers may be started; the first one is used where a test does not care."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    """What it claims beyond what every backend owes."""

    deviations: ClassVar[Sequence[Deviation]] = ()
    """The requirements that it is known to violate."""

    reap_signal: ClassVar[int] = signal.SIGKILL
    """The signal that ends a reaped worker."""

    when_full: ClassVar[Refusal | None] = None
    """What becomes of `acquire` and `release` when unread requests have filled the transport.

    None if that cannot happen, or if nothing is documented.
    """

    when_unavailable: ClassVar[Refusal | None] = None
    """What becomes of `acquire` when the server's process is dead; None if not documented.

    With capability `durable`: at a place that no server has ever served.
    """

    when_served: ClassVar[type[Exception] | None] = None
    """What `start_replacement` raises while another server is there; None if it takes over."""

    @property
    @abstractmethod
    def api(self) -> Any:
        """The namespace that is judged, such as the module `elastic_timer`.

        It has TimerRequest, TimerClient, RequestQueue, TimerServer, configure and expires. One
        that the backend has no part in is None, and what concerns it is not applicable.
        """

    @abstractmethod
    def version(self) -> str:
        """Return the version of the implementation, for the report."""

    @abstractmethod
    def start_server(self, max_interval: float) -> Any:
        """Make a server in this process, start it, and return it.

        `max_interval` is the longest time in seconds between two looks at the timers. The
        process's default start method is the one that its workers are started with.
        """

    @abstractmethod
    def client(self, server: Any) -> Any:
        """Return a timer client of this server that a worker gets as a Process argument."""

    def stop_server(self, server: Any) -> None:
        """Stop the server."""
        server.stop()

    def restart_server(self, server: Any) -> None:
        """Start the same server again after `stop_server`."""
        server.start()

    def worker_id(self, pid: int) -> Any:
        """Return the worker id of the process with this number."""
        return pid

    def request(self, worker_id: Any, scope_id: str, expiration_time: float) -> Any:
        """Return a request of the implementation's own kind."""
        if self.api.TimerRequest is None:
            _not_offered(self, "requests of its own")
        return self.api.TimerRequest(worker_id, scope_id, expiration_time)

    # Hooks for the interface layer -----------------------------------------------------------

    def open_queue(self) -> OpenQueue:
        """Return a request queue that no server reads."""
        _not_offered(self, "a bare request queue")

    def idle_server(
        self,
        max_interval: float,
        clock: ControlledClock,
        reap: Callable[[Any], bool] | None = None,
    ) -> IdleServer:
        """Return a server that is not started and goes by `clock`.

        If `reap` is given, it takes the place of the server's `_reap_worker`. Where `put` of what
        is returned makes a deadline, as a client would, it asks the clock for it.
        """
        _not_offered(self, "a server that is not started")

    # Hooks for the robust profile ------------------------------------------------------------

    def send_raw(self, server: Any, data: bytes) -> None:
        """Write bytes into the server's transport, as a broken or hostile client would."""
        _not_offered(self, "a transport that takes raw bytes")

    def send_part(self, server: Any, request: Any) -> None:
        """Send the first half of a request, and stay connected like a client that stops there."""
        _not_offered(self, "a transport that takes half a request")

    def raw_request(self, request: Any) -> bytes:
        """Return a request as the bytes that `send_raw` takes."""
        _not_offered(self, "requests as bytes")

    def transport_paths(self, server: Any) -> Sequence[str]:
        """Return the paths under which the transport is in the file system.

        What the server's process holds open is found without being named here.
        """
        return ()

    def observed_server(
        self,
        max_interval: float,
        on_event: Callable[[Any], None],
        reap: Callable[[Any], bool] | None = None,
    ) -> IdleServer:
        """Return a server that is not started and reports to `on_event` (capability `events`).

        Each event has `name`, `worker_id`, `scope_id` and `lateness` (seconds). If `reap` is
        given, it takes the place of the server's `_reap_worker`.
        """
        _not_offered(self, "events")

    def last_progress_time(self, server: Any) -> float:
        """Return when the watchdog last made progress, in epoch seconds (capability `health`)."""
        _not_offered(self, "the time of its last progress")

    def start_server_with_signal(self, max_interval: float, signal_number: int) -> Any:
        """Start a server whose timers reap with this signal, 0 for none (capability `signal`)."""
        _not_offered(self, "a choice of signals")

    # Hooks for the durable profile (capability `durable`) --------------------------------------

    def place(self, server: Any) -> Any:
        """Return where this server's timers are kept.

        It is handed to other processes, so it is something to be pickled: a path, an address.
        What is kept there stays when the server's process is killed.
        """
        _not_offered(self, "timers that outlive their server")

    def new_place(self) -> Any:
        """Return a place that no server has ever served."""
        _not_offered(self, "timers that outlive their server")

    def remove_place(self, place: Any) -> None:
        """Remove what is kept at a place, now that neither server nor worker is there."""
        _not_offered(self, "timers that outlive their server")

    def start_replacement(self, place: Any, max_interval: float) -> Any:
        """Start a server for the timers at a place, as `start_server` does for new ones.

        If another server is there, it raises `when_served` or takes over.
        """
        _not_offered(self, "timers that outlive their server")

    def client_at(self, place: Any) -> Any:
        """Return a client of whatever server is at a place, as `client` does for one server."""
        _not_offered(self, "timers that outlive their server")


def _not_offered(backend: Backend, what: str) -> NoReturn:
    raise NotOffered(f"the backend {backend.name!r} does not offer {what}")

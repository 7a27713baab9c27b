"""WATCHDOG: one pass, and the loop that runs one pass after the other."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend, IdleServer
from elastic_timer_conformance.clock import ControlledClock
from elastic_timer_conformance.journal import Journal
from elastic_timer_conformance.processes import Host
from elastic_timer_conformance.requirement import not_applicable, requirement
from elastic_timer_conformance.workers import func

OpenServer = Callable[..., IdleServer]
Measure = Callable[[str, float], None]


# A server of one's own: the watchdog that a subclass inherits --------------------------------


class MockRequestQueue:
    """Holds given requests and records how it is asked for them."""

    def __init__(self, requests: list[Any], calls: list[tuple[Any, ...]]) -> None:
        self.requests = requests
        self.calls = calls

    def size(self) -> int:
        self.calls.append(("size",))
        return len(self.requests)

    def get(self, size: int, timeout: float) -> list[Any]:
        self.calls.append(("get", size, timeout))
        taken, self.requests[:] = self.requests[:size], self.requests[size:]
        return taken

    def wake(self) -> None:
        """Nobody ever waits for this queue."""


class MockTimerServer:
    """A table without a table: records what the watchdog asks of it."""

    calls: list[tuple[Any, ...]]
    expired: dict[Any, list[Any]]
    reaping: dict[Any, Any]

    def register_timers(self, timer_requests: list[Any]) -> None:
        self.calls.append(("register", list(timer_requests)))

    def clear_timers(self, worker_ids: set[Any]) -> None:
        self.calls.append(("clear", set(worker_ids)))

    def get_expired_timers(self, deadline: float) -> dict[Any, list[Any]]:
        self.calls.append(("expired", deadline))
        return self.expired

    def _reap_worker(self, worker_id: Any) -> bool:
        self.calls.append(("reap", worker_id))
        result = self.reaping[worker_id]
        if isinstance(result, Exception):
            raise result
        return bool(result)


class Subclassed:
    """A server made by subclassing the interface, as a backend of one's own is."""

    def __init__(self, api: Any, requests: list[Any], max_interval: float) -> None:
        self.calls: list[tuple[Any, ...]] = []
        queue_class = type("OwnQueue", (MockRequestQueue, api.RequestQueue), {})
        server_class = type("OwnServer", (MockTimerServer, api.TimerServer), {})
        self.server = server_class(queue_class(requests, self.calls), max_interval)
        self.server.calls = self.calls
        self.server.expired = {}
        self.server.reaping = {}

    def run_watchdog(self) -> None:
        self.server._run_watchdog()

    def of(self, kind: str) -> list[Any]:
        """Return what the calls of one kind were made with."""
        return [call[1:] for call in self.calls if call[0] == kind]


@pytest.fixture
def subclass(api: Any) -> Callable[..., Subclassed]:
    if api.TimerServer is None or api.RequestQueue is None:
        not_applicable("the backend's namespace has no TimerServer that could be subclassed")

    def make(requests: list[Any] | None = None, max_interval: float = 0.01) -> Subclassed:
        return Subclassed(api, requests or [], max_interval)

    return make


@requirement("WATCHDOG-BATCH")
@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_run_watchdog(
    subclass: Callable[..., Subclassed], api: Any, clock: ControlledClock, count: int
) -> None:
    requests = [api.TimerRequest(1, str(number), clock.time() + 60) for number in range(count)]
    own = subclass(list(requests))
    own.server.expired = {7: [api.TimerRequest(7, "scope", 1.0)]}
    own.server.reaping = {7: True}
    own.run_watchdog()
    assert own.of("size") == [()], "size() is to be called once"
    [(size, timeout)] = own.of("get")
    assert size == max(1, count)
    assert 0 <= timeout <= 0.01
    assert [request for [batch] in own.of("register") for request in batch] == requests
    order = [call[0] for call in own.calls]
    last_register = len(order) - 1 - order[::-1].index("register")
    last_judged = len(order) - 1 - order[::-1].index("expired")
    assert order.index("size") < order.index("get") < last_register < last_judged
    assert last_register < order.index("reap")


@requirement("WATCHDOG-REAPED")
def test_run_watchdog_of_a_subclass_clears_the_reaped(
    subclass: Callable[..., Subclassed], api: Any
) -> None:
    own = subclass()
    own.server.expired = {
        worker: [api.TimerRequest(worker, scope, 1.0) for scope in ("one", "two")]
        for worker in (1, 2, 3)
    }
    own.server.reaping = {1: True, 2: False, 3: OSError("not today")}
    own.run_watchdog()
    assert sorted(own.of("reap")) == [(1,), (2,), (3,)]
    assert set().union(*(cleared for [cleared] in own.of("clear"))) == {1, 3}


# The backend's own server, a watchdog at a time -----------------------------------------------


class WatchedServer:
    """A server on a clock that stands still, of which reaping is recorded and decided here."""

    def __init__(
        self, open_server: OpenServer, backend: Backend, clock: ControlledClock, interval: float
    ) -> None:
        self.reaped: list[Any] = []
        self.answers: dict[Any, list[Any]] = defaultdict(list)
        self.idle = open_server(self._reap, interval)
        self.server = self.idle.server
        self._backend = backend
        self._clock = clock

    def _reap(self, worker_id: Any) -> bool:
        self.reaped.append(worker_id)
        answer = self.answers[worker_id].pop(0) if self.answers[worker_id] else True
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    def register(self, worker_id: Any, scope: str, after: float) -> None:
        """Enter a timer that expires so many seconds from now; fewer than 0: has expired."""
        request = self._backend.request(worker_id, scope, self._clock.time() + after)
        self.server.register_timers([request])

    def scopes(self, worker_id: Any) -> list[str]:
        """Return the scopes of the worker's timers in the table."""
        everything = self.server.get_expired_timers(float("inf"))
        return sorted(request.scope_id for request in everything.get(worker_id, []))


@pytest.fixture
def watched(
    open_server: OpenServer, backend: Backend, clock: ControlledClock
) -> Callable[..., WatchedServer]:
    return lambda interval=0.01: WatchedServer(open_server, backend, clock, interval)


@requirement("WATCHDOG-BATCH")
def test_one_watchdog_registers_all_that_was_sent(
    watched: Callable[..., WatchedServer],
    backend: Backend,
    clock: ControlledClock,
    worker_ids: list[Any],
    allowance: Allowance,
) -> None:
    # The queue may have to carry them first, for which it has this interval at most.
    one = watched(allowance.signal)
    scopes = [f"scope {number:02}" for number in range(20)]
    for scope in scopes:
        one.idle.put(backend.request(worker_ids[0], scope, clock.time() + 60))
    one.server._run_watchdog()
    assert one.scopes(worker_ids[0]) == scopes


@requirement("WATCHDOG-EMPTY-QUEUE")
def test_watchdog_empty_queue(
    watched: Callable[..., WatchedServer], worker_ids: list[Any], allowance: Allowance
) -> None:
    one = watched()
    start = time.monotonic()
    one.server._run_watchdog()
    assert time.monotonic() - start < 0.01 + allowance.signal
    assert one.reaped == []
    one.register(worker_ids[0], "scope", -1)
    one.server._run_watchdog()
    one.server._run_watchdog()
    assert one.reaped == [worker_ids[0]]


@requirement("WATCHDOG-REAPED")
def test_expired_timers(watched: Callable[..., WatchedServer], worker_ids: list[Any]) -> None:
    late, other, _ = worker_ids
    one = watched()
    one.register(late, "expired", -1)
    one.register(late, "expired too", -2)
    one.register(late, "valid", 60)
    one.register(other, "valid", 60)
    one.server._run_watchdog()
    assert one.reaped == [late], "every late worker is to be reaped once"
    assert one.scopes(late) == []
    assert one.scopes(other) == ["valid"]
    one.server._run_watchdog()
    assert one.reaped == [late]


@requirement("WATCHDOG-REAPED")
def test_a_timer_expires_when_its_time_has_come(
    watched: Callable[..., WatchedServer], clock: ControlledClock, worker_ids: list[Any]
) -> None:
    one = watched()
    one.register(worker_ids[0], "scope", 60)
    clock.advance(59)
    one.server._run_watchdog()
    assert one.reaped == []
    clock.advance(2)
    one.server._run_watchdog()
    assert one.reaped == [worker_ids[0]]


@requirement("WATCHDOG-REAP-FAILED")
def test_a_failed_reap_is_tried_again(
    watched: Callable[..., WatchedServer], worker_ids: list[Any]
) -> None:
    late = worker_ids[0]
    one = watched()
    one.answers[late] = [False, False, True]
    one.register(late, "expired", -1)
    one.register(late, "valid", 60)
    for attempt in (1, 2):
        one.server._run_watchdog()
        assert one.reaped == [late] * attempt
        assert one.scopes(late) == ["expired", "valid"]
    one.server._run_watchdog()
    assert one.reaped == [late] * 3
    assert one.scopes(late) == []
    one.server._run_watchdog()
    assert one.reaped == [late] * 3


@requirement("WATCHDOG-REAP-RAISES")
def test_an_exception_counts_as_reaped(
    watched: Callable[..., WatchedServer], worker_ids: list[Any]
) -> None:
    raising, succeeding, failing = worker_ids
    one = watched()
    one.answers[raising] = [RuntimeError("reaping went wrong")]
    one.answers[failing] = [False]
    for worker in worker_ids:
        one.register(worker, "expired", -1)
        one.register(worker, "valid", 60)
    one.server._run_watchdog()
    assert sorted(one.reaped) == sorted(worker_ids)
    assert one.scopes(raising) == []
    assert one.scopes(succeeding) == []
    assert one.scopes(failing) == ["expired", "valid"]


# The loop ---------------------------------------------------------------------------------------


@pytest.fixture
def run_loop(backend: Backend) -> Iterator[Callable[[WatchedServer, Callable[[], None]], None]]:
    """A function that starts a server, with something to be called before each watchdog."""
    started: list[Any] = []

    def start(one: WatchedServer, before_each: Callable[[], None]) -> None:
        run_watchdog = one.server._run_watchdog

        def watchdog() -> None:
            before_each()
            run_watchdog()

        one.server._run_watchdog = watchdog
        one.server.start()
        started.append(one.server)

    yield start
    for server in started:
        backend.stop_server(server)


@requirement("WATCHDOG-SURVIVES")
def test_loop_survives_a_failing_watchdog(
    watched: Callable[..., WatchedServer],
    run_loop: Callable[..., None],
    worker_ids: list[Any],
    allowance: Allowance,
) -> None:
    one = watched()
    failed = threading.Event()

    def fail_once() -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("the first watchdog fails")

    run_loop(one, fail_once)
    assert failed.wait(allowance.signal), "the watchdog loop does not run"
    one.idle.put(one._backend.request(worker_ids[0], "scope", one._clock.time() - 1))
    end = time.monotonic() + 0.01 + allowance.signal
    while not one.reaped:
        assert time.monotonic() < end, "nobody is reaped any more after a watchdog that failed"
        time.sleep(0.005)
    assert one.reaped == [worker_ids[0]]


@requirement("WATCHDOG-CALL-COUNT")
def test_watchdog_call_count(
    watched: Callable[..., WatchedServer],
    run_loop: Callable[..., None],
    allowance: Allowance,
    measured: Measure,
) -> None:
    interval, enough = 0.05, 10
    begun: list[float] = []
    counted = threading.Event()

    def count() -> None:
        begun.append(time.monotonic())
        if len(begun) > enough:
            counted.set()

    run_loop(watched(interval), count)
    assert counted.wait(enough * interval + allowance.signal), (
        f"{len(begun)} watchdogs in {enough * interval + allowance.signal:.1f} s, of which each "
        f"was to take {interval} s"
    )
    # From the first beginning to the last: `enough` watchdogs. A busy machine makes them fewer,
    # which the wait above bounds; nothing but a loop that spins makes them more.
    span = begun[enough] - begun[0]
    measured("length of an idle watchdog", span / enough)
    assert enough <= span / interval + 1, f"{enough} watchdogs in {span:.3f} s"


# How late ---------------------------------------------------------------------------------------


@requirement("WATCHDOG-LATENCY")
@pytest.mark.parametrize("max_interval", [0.1, 0.5])
def test_timer(
    host: Host,
    journal: Journal,
    backend: Backend,
    allowance: Allowance,
    measured: Measure,
    max_interval: float,
) -> None:
    server = host.start_server(max_interval)
    # Their timers expire at different moments of the server's interval.
    workers = [
        host.start_worker(func, 0.2 + 0.07 * number, journal=journal, server=server)
        for number in range(3)
    ]
    for worker in workers:
        deadline = worker.wait_for("entered")["deadline"]
        died = worker.wait_dead(deadline - time.monotonic() + max_interval + allowance.signal)
        assert worker.exit_status() == -backend.reap_signal
        measured(f"detection latency at max_interval={max_interval}", died - deadline)

"""SERVER: the table of timers, and starting and stopping."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend, IdleServer
from elastic_timer_conformance.clock import ControlledClock
from elastic_timer_conformance.host import Agent
from elastic_timer_conformance.journal import Journal
from elastic_timer_conformance.processes import Host
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import WorkerContext, func

OpenServer = Callable[..., IdleServer]
Measure = Callable[[str, float], None]
Timer = tuple[Any, str, float]

# The smallest number that is greater than a float, or smaller, tells "at" from "before".
FOREVER = math.inf


class TableUnderTest:
    """A server's table, and requests for it relative to a clock that stands still."""

    def __init__(self, idle: IdleServer, backend: Backend, clock: ControlledClock) -> None:
        self.server = idle.server
        self._backend = backend
        self.now = clock.time()

    def _valid_timer(self, worker_id: Any, scope: str, after: float = 60) -> Any:
        return self._backend.request(worker_id, scope, self.now + after)

    def _expired_timer(self, worker_id: Any, scope: str, ago: float = 60) -> Any:
        return self._backend.request(worker_id, scope, self.now - ago)

    def _release_timer(self, worker_id: Any, scope: str) -> Any:
        return self._backend.request(worker_id, scope, -1)

    valid, expired, release = _valid_timer, _expired_timer, _release_timer

    def register(self, *requests: Any) -> None:
        self.server.register_timers(list(requests))

    def timers(self, deadline: float = FOREVER) -> list[Timer]:
        """Return what has expired at a time, by default all: worker, scope, expiration time."""
        expired = self.server.get_expired_timers(deadline)
        for worker_id, requests in expired.items():
            assert requests, f"{worker_id} is a key without a timer"
            assert all(request.worker_id == worker_id for request in requests)
        return sorted(
            (request.worker_id, request.scope_id, request.expiration_time)
            for requests in expired.values()
            for request in requests
        )


@pytest.fixture
def table(open_server: OpenServer, backend: Backend, clock: ControlledClock) -> TableUnderTest:
    return TableUnderTest(open_server(), backend, clock)


# The table ----------------------------------------------------------------------------------


@requirement("SERVER-REGISTER")
def test_valid_timers(
    open_server: OpenServer,
    backend: Backend,
    clock: ControlledClock,
    worker_ids: list[Any],
    allowance: Allowance,
) -> None:
    reaped: list[Any] = []

    def reap(worker_id: Any) -> bool:
        reaped.append(worker_id)
        return True

    idle = open_server(reap)
    table = TableUnderTest(idle, backend, clock)
    first, second, _ = worker_ids
    for request in (
        table.valid(first, "one"),
        table.valid(first, "two", 61),
        table.valid(second, "one", 62),
    ):
        idle.put(request)
    times = (table.now + 60, table.now + 61, table.now + 62)
    expected = sorted(
        [(first, "one", times[0]), (first, "two", times[1]), (second, "one", times[2])]
    )
    end = time.monotonic() + allowance.signal
    while table.timers() != expected:
        assert time.monotonic() < end, f"the table is {table.timers()}, and not {expected}"
        idle.server._run_watchdog()
    idle.server._run_watchdog()
    assert reaped == [], "reaped for a timer that has not expired"
    assert table.timers(table.now) == []
    assert table.timers(table.now + 60) == [(first, "one", table.now + 60)]


@requirement("SERVER-REGISTER")
def test_an_empty_list_changes_nothing(table: TableUnderTest, worker_ids: list[Any]) -> None:
    table.register()
    assert table.timers() == []
    table.register(table.valid(worker_ids[0], "scope"))
    before = table.timers()
    table.register()
    assert table.timers() == before


@requirement("SERVER-REGISTER-RELEASE")
@pytest.mark.parametrize("at_once", [True, False])
def test_acquire_release(table: TableUnderTest, worker_ids: list[Any], at_once: bool) -> None:
    first, second, _ = worker_ids
    requests = [
        table.release(first, "never acquired"),
        table.valid(first, "scope"),
        table.valid(first, "other"),
        table.valid(second, "scope"),
        table.release(first, "scope"),
        table.release(first, "scope"),
    ]
    for part in [requests] if at_once else [[request] for request in requests]:
        table.register(*part)
    later = table.now + 60
    assert table.timers() == sorted([(first, "other", later), (second, "scope", later)])


@requirement("SERVER-REGISTER-REPLACE")
def test_registering_again_replaces(table: TableUnderTest, worker_ids: list[Any]) -> None:
    worker = worker_ids[0]
    for after in (60, 120, 30, 30):
        table.register(table.valid(worker, "scope", after))
        expiration_time = table.now + after
        assert table.timers() == [(worker, "scope", expiration_time)]
        assert table.timers(math.nextafter(expiration_time, 0)) == []
        assert table.timers(expiration_time) == [(worker, "scope", expiration_time)]
    table.register(table.release(worker, "scope"))
    assert table.timers() == []


@requirement("SERVER-REGISTER-ORDER")
@pytest.mark.parametrize("seed", range(20))
def test_requests_take_effect_in_order(
    open_server: OpenServer,
    backend: Backend,
    clock: ControlledClock,
    worker_ids: list[Any],
    seed: int,
) -> None:
    generator = random.Random(seed)
    in_one = TableUnderTest(open_server(), backend, clock)
    one_by_one = TableUnderTest(open_server(), backend, clock)
    expected: dict[tuple[Any, str], float] = {}
    requests = []
    for _ in range(100):
        key = generator.choice(worker_ids), generator.choice(["one", "two", "three"])
        if generator.random() < 0.4:
            requests.append(in_one.release(*key))
            expected.pop(key, None)
        else:
            after = generator.uniform(1, 100)
            requests.append(in_one.valid(*key, after))
            expected[key] = in_one.now + after
    in_one.register(*requests)
    for request in requests:
        one_by_one.register(request)
    assert in_one.timers() == sorted((*key, time) for key, time in expected.items())
    assert one_by_one.timers() == in_one.timers()


@requirement("SERVER-CLEAR")
def test_clear_drops_the_timers_of_given_workers(
    table: TableUnderTest, worker_ids: list[Any]
) -> None:
    first, second, third = worker_ids
    table.register(
        table.valid(first, "one"),
        table.expired(first, "two"),
        table.valid(second, "one"),
        table.expired(second, "two"),
    )
    kept = [(second, "one", table.now + 60), (second, "two", table.now - 60)]
    table.server.clear_timers(set())
    assert len(table.timers()) == 4
    table.server.clear_timers({first, third})
    assert table.timers() == kept
    table.server.clear_timers({first, third})
    assert table.timers() == kept


@requirement("SERVER-EXPIRED-INCLUSIVE")
@pytest.mark.parametrize("after", [0.0, 0.1, 1 / 3, 60.0])
def test_expired_means_at_or_before(
    table: TableUnderTest, worker_ids: list[Any], after: float
) -> None:
    table.register(table.valid(worker_ids[0], "scope", after))
    expiration_time = table.now + after
    expected = [(worker_ids[0], "scope", expiration_time)]
    assert table.timers(math.nextafter(expiration_time, -FOREVER)) == []
    assert table.timers(expiration_time) == expected
    assert table.timers(math.nextafter(expiration_time, FOREVER)) == expected


@requirement("SERVER-EXPIRED-GROUPED")
def test_expired_are_grouped_by_worker(table: TableUnderTest, worker_ids: list[Any]) -> None:
    none, some, only = worker_ids
    table.register(
        table.valid(none, "one"),
        table.valid(some, "one"),
        table.expired(some, "two", 1),
        table.expired(some, "three", 2),
        table.expired(only, "one"),
    )
    answers = [table.server.get_expired_timers(table.now) for _ in range(2)]
    for answer in answers:
        assert set(answer) == {some, only}
        assert sorted(request.scope_id for request in answer[some]) == ["three", "two"]
        assert [request.scope_id for request in answer[only]] == ["one"]
    assert len(table.timers()) == 5


# Start and stop -----------------------------------------------------------------------------

# Seconds: far longer than any allowance, so that waiting for it would show.
LONG_INTERVAL = 600.0


@requirement("SERVER-START-NONBLOCKING")
def test_start_waits_for_nobody(
    host: Host, journal: Journal, allowance: Allowance, measured: Measure
) -> None:
    took = host.call(time_start, LONG_INTERVAL)
    measured("start", took)
    assert took < allowance.signal


@requirement("SERVER-START-NONBLOCKING")
def test_timers_acquired_after_start_are_enforced(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(0.1)
    worker = host.start_worker(func, 0.3, journal=journal, server=server)
    worker.wait_for("entered")
    worker.wait_dead(0.3 + 0.1 + allowance.signal)
    assert worker.exit_status() == -backend.reap_signal


def time_start(agent: Agent, max_interval: float) -> float:
    """In the host: return how long starting a server takes, in seconds."""
    start = time.monotonic()
    agent.start_server(max_interval)
    return time.monotonic() - start


@requirement("SERVER-STOP-BOUNDED")
@pytest.mark.parametrize("flooded", [False, True])
def test_stop_returns_in_time(
    host: Host, journal: Journal, allowance: Allowance, measured: Measure, flooded: bool
) -> None:
    max_interval = 0.5
    server = host.start_server(max_interval)
    if flooded:
        worker = host.start_worker(flood, journal=journal, server=server)
        worker.wait_for("flooding")
    took = host.call(time_stop, server.number)
    measured("stop", took)
    assert took < max_interval + allowance.signal


def time_stop(agent: Agent, server: int) -> float:
    """In the host: return how long stopping a server takes, in seconds."""
    start = time.monotonic()
    agent.stop_server(server)
    return time.monotonic() - start


def flood(worker: WorkerContext) -> None:
    """In a worker: send requests without pause, until killed."""
    for number in range(10**9):
        worker.client.acquire("scope", time.time() + 3600)
        worker.client.release("scope")
        if number == 100:
            worker.journal.write("flooding")


@requirement("SERVER-STOP-BOUNDED")
def test_no_watchdog_begins_after_stop(
    open_server: OpenServer, backend: Backend, allowance: Allowance
) -> None:
    interval = 0.02
    idle = open_server(max_interval=interval)
    begun = 0
    several = threading.Event()
    run_watchdog = idle.server._run_watchdog

    def count() -> None:
        nonlocal begun
        begun += 1
        if begun >= 3:
            several.set()
        run_watchdog()

    idle.server._run_watchdog = count
    idle.server.start()
    assert several.wait(allowance.signal), "the watchdog loop does not run"
    backend.stop_server(idle.server)
    after_stop = begun
    # Time for many watchdogs to show themselves.
    time.sleep(max(allowance.silence, 10 * interval))
    assert begun == after_stop, "a watchdog began after stop() had returned"

"""WATCHDOG: one pass."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.clock import ControlledClock
from elastic_timer_conformance.harness.watched import WatchedServer
from elastic_timer_conformance.requirement import not_applicable, requirement

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


@requirement("WATCHDOG-BATCH@06b66d20")
@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_run_watchdog(
    subclass: Callable[..., Subclassed], api: Any, clock: ControlledClock, count: int
) -> None:
    requests = [api.TimerRequest(1, str(number), clock.time() + 60) for number in range(count)]
    own = subclass(list(requests))
    own.server.expired = {7: [api.TimerRequest(7, "scope", 1.0)]}
    own.server.reaping = {7: True}
    own.run_watchdog()
    order = [call[0] for call in own.calls]
    told = f"the calls were {', '.join(order)}"
    for kind in ("size", "get"):
        assert order.count(kind) == 1, f"{kind}() is to be called once: {told}"
    [(size, timeout)] = own.of("get")
    assert size == max(1, count), f"size() said {count}, and get() was called for {size} requests"
    assert 0 <= timeout <= 0.01, f"max_interval is 0.01 s, and get() was to wait for {timeout} s"
    registered = [request for [batch] in own.of("register") for request in batch]
    assert registered == requests, f"{len(registered)} of {count} requests were registered"
    assert order.index("size") < order.index("get"), told
    last_judged = max(number for number, call in enumerate(order) if call == "expired")
    for number, call in enumerate(order):
        early = call == "register" and not number < min(last_judged, order.index("reap"))
        assert not early, f"all is to be registered before any timer is judged: {told}"


@requirement("WATCHDOG-REAPED@47ae5bc4")
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
    tried = [worker for (worker,) in own.of("reap")]
    assert sorted(tried) == [1, 2, 3], f"1, 2 and 3 are late, and reaping was tried for {tried}"
    cleared = set().union(*(workers for [workers] in own.of("clear")))
    assert cleared == {1, 3}, f"1 and 3 are to be cleared, and these were: {cleared}"


# The backend's own server, a watchdog at a time -----------------------------------------------


@requirement("WATCHDOG-BATCH@06b66d20")
def test_one_watchdog_registers_all_that_was_sent(
    watched: Callable[..., WatchedServer], worker_ids: list[Any], allowance: Allowance
) -> None:
    # The queue may have to carry them first, for which it has this interval at most.
    one = watched(allowance.signal)
    scopes = [f"scope {number:02}" for number in range(20)]
    for scope in scopes:
        one.put(one.request(worker_ids[0], scope, 60))
    one.run_watchdog()
    missing = [scope for scope in scopes if scope not in one.scopes(worker_ids[0])]
    assert not missing, f"of {len(scopes)} requests that were sent, one watchdog left {missing}"
    assert one.scopes(worker_ids[0]) == scopes


@requirement("WATCHDOG-EMPTY-QUEUE@e31d1b44")
def test_watchdog_empty_queue(
    watched: Callable[..., WatchedServer], worker_ids: list[Any], allowance: Allowance
) -> None:
    one = watched()
    start = time.monotonic()
    try:
        one.run_watchdog()
    except Exception as error:
        pytest.fail(f"a watchdog on an empty queue raised {error!r}")
    took = time.monotonic() - start
    assert took < 0.01 + allowance.signal, (
        f"a watchdog on an empty queue took {took:.3f} s, and max_interval is 0.01 s"
    )
    assert one.reaped == []
    one.register(one.request(worker_ids[0], "scope", -1))
    one.run_watchdog()
    one.run_watchdog()
    assert one.reaped == [worker_ids[0]], (
        f"a timer has expired while the queue is empty, and two watchdogs reaped {one.reaped}"
    )


@requirement("WATCHDOG-REAPED@47ae5bc4")
def test_expired_timers(watched: Callable[..., WatchedServer], worker_ids: list[Any]) -> None:
    late, other, _ = worker_ids
    one = watched()
    one.register(one.request(late, "expired", -1))
    one.register(one.request(late, "expired too", -2))
    one.register(one.request(late, "valid", 60))
    one.register(one.request(other, "valid", 60))
    one.run_watchdog()
    assert one.reaped == [late], (
        f"every late worker is to be reaped once; this one is {late}, and reaped were {one.reaped}"
    )
    assert one.scopes(late) == [], f"a worker that was reaped still has timers: {one.scopes(late)}"
    assert one.scopes(other) == ["valid"], "a worker that is not late has lost its timer"
    one.run_watchdog()
    assert one.reaped == [late], "a worker that was reaped was reaped again"


@requirement("WATCHDOG-REAPED@47ae5bc4")
def test_a_timer_expires_when_its_time_has_come(
    watched: Callable[..., WatchedServer], clock: ControlledClock, worker_ids: list[Any]
) -> None:
    one = watched()
    one.register(one.request(worker_ids[0], "scope", 60))
    clock.advance(59)
    one.run_watchdog()
    assert one.reaped == [], "reaped a second before its timer expires"
    clock.advance(2)
    one.run_watchdog()
    assert one.reaped == [worker_ids[0]], (
        f"its timer expired a second ago, and the watchdog reaped {one.reaped}"
    )


@requirement("WATCHDOG-LATENCY@7687e576")
def test_nobody_outlives_the_first_watchdog_after_the_expiration(
    watched: Callable[..., WatchedServer], worker_ids: list[Any]
) -> None:
    one = watched()
    expires = dict(zip(worker_ids, (2.5, 3.25, 3.75), strict=True))
    for worker_id, after in expires.items():
        one.register(one.request(worker_id, "scope", after))
    turns: dict[Any, int] = {}
    for turn in range(1, 6):
        # As if the loop's interval, by the clock that is judged by, were a second.
        one.clock.advance(1)
        one.run_watchdog()
        for worker_id in one.reaped:
            turns.setdefault(worker_id, turn)
    for worker_id, after in expires.items():
        assert turns.get(worker_id) == math.ceil(after), (
            f"a watchdog runs each second, and a timer of {after} s was to be found by number "
            f"{math.ceil(after)}, not {turns.get(worker_id)}"
        )


@requirement("WATCHDOG-REAP-FAILED@b3829baf")
def test_a_failed_reap_is_tried_again(
    watched: Callable[..., WatchedServer], worker_ids: list[Any]
) -> None:
    late = worker_ids[0]
    one = watched()
    one.answers[late] = [False, False, True]
    one.register(one.request(late, "expired", -1))
    one.register(one.request(late, "valid", 60))
    for attempt in (1, 2):
        one.run_watchdog()
        check_attempts(one, late, attempt)
        assert one.scopes(late) == ["expired", "valid"], (
            f"the worker was not reaped, and of its timers these are left: {one.scopes(late)}"
        )
    one.run_watchdog()
    check_attempts(one, late, 3)
    assert one.scopes(late) == [], f"the worker was reaped, and has timers: {one.scopes(late)}"
    one.run_watchdog()
    check_attempts(one, late, 3)


def check_attempts(one: WatchedServer, late: Any, attempts: int) -> None:
    """Assert that reaping this worker, and no other, was tried so many times."""
    assert one.reaped == [late] * attempts, (
        f"reaping {late} was to have been tried {attempts} times by now; tried were {one.reaped}"
    )


@requirement("WATCHDOG-REAP-FAILED@b3829baf")
def test_a_failed_reap_beside_others_is_tried_again(
    watched: Callable[..., WatchedServer], worker_ids: list[Any]
) -> None:
    one = watched()
    for worker in worker_ids:
        one.register(one.request(worker, "expired", -1))
    # Whichever is tried first, it fails for one that has others after it or before it.
    one.answers[worker_ids[0]] = [False]
    one.answers[worker_ids[2]] = [False]
    one.run_watchdog()
    for worker in (worker_ids[0], worker_ids[2]):
        assert one.scopes(worker) == ["expired"], "a worker that was not reaped lost its timer"
    one.run_watchdog()
    for worker, attempts in zip(worker_ids, (2, 1, 2), strict=True):
        assert one.reaped.count(worker) == attempts, (
            f"reaping it fails at first for {worker_ids[0]} and {worker_ids[2]}, and not for "
            f"{worker_ids[1]}; two watchdogs tried {one.reaped}"
        )


@requirement("WATCHDOG-REAP-RAISES@5b0d2561")
def test_an_exception_counts_as_reaped(
    watched: Callable[..., WatchedServer], worker_ids: list[Any]
) -> None:
    raising, succeeding, failing = worker_ids
    one = watched()
    one.answers[raising] = [RuntimeError("reaping went wrong")]
    one.answers[failing] = [False]
    for worker in worker_ids:
        one.register(one.request(worker, "expired", -1))
        one.register(one.request(worker, "valid", 60))
    try:
        one.run_watchdog()
    except RuntimeError as error:
        pytest.fail(f"what reaping a worker raised has left the watchdog: {error}")
    assert sorted(one.reaped) == sorted(worker_ids), (
        f"{worker_ids} are late, and when reaping {raising} raised, these were dealt with in the "
        f"same watchdog: {one.reaped}"
    )
    for worker, how in ((raising, "reaping it raised"), (succeeding, "it was reaped")):
        assert one.scopes(worker) == [], f"{how}, and it has timers: {one.scopes(worker)}"
    one.run_watchdog()
    assert one.reaped.count(raising) == 1, "reaping it raised, and it was tried again"

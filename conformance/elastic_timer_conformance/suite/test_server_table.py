"""SERVER: the table of timers, on a clock that stands still."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.harness.watched import WatchedServer
from elastic_timer_conformance.requirement import requirement


def _valid_timer(table: WatchedServer, worker_id: Any, scope: str, after: float = 60) -> Any:
    return table.request(worker_id, scope, after)


def _expired_timer(table: WatchedServer, worker_id: Any, scope: str, ago: float = 60) -> Any:
    return table.request(worker_id, scope, -ago)


def _release_timer(table: WatchedServer, worker_id: Any, scope: str) -> Any:
    return table.release(worker_id, scope)


@pytest.fixture
def table(watched: Callable[..., WatchedServer]) -> WatchedServer:
    return watched()


@requirement("SERVER-REGISTER@7c525437")
def test_valid_timers(table: WatchedServer, worker_ids: list[Any], allowance: Allowance) -> None:
    first, second, _ = worker_ids
    now = table.clock.time()
    table.put(
        _valid_timer(table, first, "one"),
        _valid_timer(table, first, "two", 61),
        _valid_timer(table, second, "one", 62),
    )
    expected = sorted(
        [(first, "one", now + 60), (first, "two", now + 61), (second, "one", now + 62)]
    )
    end = time.monotonic() + allowance.signal
    while table.timers() != expected:
        assert time.monotonic() < end, f"the table is {table.timers()}, and not {expected}"
        table.run_watchdog()
    table.run_watchdog()
    assert table.reaped == [], "reaped for a timer that has not expired"
    assert table.timers(now) == []
    assert table.timers(now + 60) == [(first, "one", now + 60)]


@requirement("SERVER-REGISTER@7c525437")
def test_an_empty_list_changes_nothing(table: WatchedServer, worker_ids: list[Any]) -> None:
    table.register()
    assert table.timers() == []
    table.register(_valid_timer(table, worker_ids[0], "scope"))
    before = table.timers()
    table.register()
    assert table.timers() == before


@requirement("SERVER-REGISTER-RELEASE@51321442")
@pytest.mark.parametrize("at_once", [True, False])
def test_acquire_release(table: WatchedServer, worker_ids: list[Any], at_once: bool) -> None:
    first, second, _ = worker_ids
    requests = [
        _release_timer(table, first, "never acquired"),
        _valid_timer(table, first, "scope"),
        _valid_timer(table, first, "other"),
        _valid_timer(table, second, "scope"),
        _release_timer(table, first, "scope"),
        _release_timer(table, first, "scope"),
    ]
    for part in [requests] if at_once else [[request] for request in requests]:
        table.register(*part)
    later = table.clock.time() + 60
    assert table.timers() == sorted([(first, "other", later), (second, "scope", later)])


@requirement("SERVER-REGISTER-REPLACE@dd4900ba")
def test_registering_again_replaces(table: WatchedServer, worker_ids: list[Any]) -> None:
    worker = worker_ids[0]
    for after in (60, 120, 30, 30):
        table.register(_valid_timer(table, worker, "scope", after))
        expiration_time = table.clock.time() + after
        assert table.timers() == [(worker, "scope", expiration_time)]
        assert table.timers(math.nextafter(expiration_time, 0)) == []
        assert table.timers(expiration_time) == [(worker, "scope", expiration_time)]
    table.register(_release_timer(table, worker, "scope"))
    assert table.timers() == []


@requirement("SERVER-REGISTER-ORDER@48835f22")
@pytest.mark.parametrize("seed", range(20))
def test_requests_take_effect_in_order(
    watched: Callable[..., WatchedServer], worker_ids: list[Any], seed: int
) -> None:
    generator = random.Random(seed)
    in_one, one_by_one = watched(), watched()
    now = in_one.clock.time()
    expected: dict[tuple[Any, str], float] = {}
    requests = []
    for _ in range(100):
        key = generator.choice(worker_ids), generator.choice(["one", "two", "three"])
        if generator.random() < 0.4:
            requests.append(_release_timer(in_one, *key))
            expected.pop(key, None)
        else:
            after = generator.uniform(1, 100)
            requests.append(_valid_timer(in_one, *key, after))
            expected[key] = now + after
    in_one.register(*requests)
    for request in requests:
        one_by_one.register(request)
    assert in_one.timers() == sorted((*key, at) for key, at in expected.items())
    assert one_by_one.timers() == in_one.timers()


@requirement("SERVER-CLEAR@69007bea")
def test_clear_drops_the_timers_of_given_workers(
    table: WatchedServer, worker_ids: list[Any]
) -> None:
    first, second, third = worker_ids
    table.register(
        _valid_timer(table, first, "one"),
        _expired_timer(table, first, "two"),
        _valid_timer(table, second, "one"),
        _expired_timer(table, second, "two"),
    )
    kept = [(second, "one", table.clock.time() + 60), (second, "two", table.clock.time() - 60)]
    table.server.clear_timers(set())
    assert len(table.timers()) == 4
    table.server.clear_timers({first, third})
    assert table.timers() == kept
    table.server.clear_timers({first, third})
    assert table.timers() == kept


@requirement("SERVER-EXPIRED-INCLUSIVE@3558c3e7")
@pytest.mark.parametrize("after", [0.0, 0.1, 1 / 3, 60.0])
def test_expired_means_at_or_before(
    table: WatchedServer, worker_ids: list[Any], after: float
) -> None:
    table.register(_valid_timer(table, worker_ids[0], "scope", after))
    expiration_time = table.clock.time() + after
    expected = [(worker_ids[0], "scope", expiration_time)]
    assert table.timers(math.nextafter(expiration_time, -math.inf)) == []
    assert table.timers(expiration_time) == expected
    assert table.timers(math.nextafter(expiration_time, math.inf)) == expected


@requirement("SERVER-EXPIRED-GROUPED@6e5889dc")
def test_expired_are_grouped_by_worker(table: WatchedServer, worker_ids: list[Any]) -> None:
    none, some, only = worker_ids
    table.register(
        _valid_timer(table, none, "one"),
        _valid_timer(table, some, "one"),
        _expired_timer(table, some, "two", 1),
        _expired_timer(table, some, "three", 2),
        _expired_timer(table, only, "one"),
    )
    answers = [table.server.get_expired_timers(table.clock.time()) for _ in range(2)]
    for answer in answers:
        assert set(answer) == {some, only}
        assert sorted(request.scope_id for request in answer[some]) == ["three", "two"]
        assert [request.scope_id for request in answer[only]] == ["one"]
    assert len(table.timers()) == 5

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
    expected = [(first, "one", now + 60), (first, "two", now + 61), (second, "one", now + 62)]
    end = time.monotonic() + allowance.signal
    while table.timers() != sorted(expected) and time.monotonic() < end:
        table.run_watchdog()
    table.run_watchdog()
    assert table.reaped == [], (
        f"three timers with a minute left were acquired, and {table.reaped} reaped for them"
    )
    table.must_have(*expected, why="three timers were acquired")
    table.must_have(expired_by=now + 59, why="the first of three timers expires after 60 s")
    table.must_have(expected[0], expired_by=now + 60.5, why="the second expires after 61 s")


@requirement("SERVER-REGISTER@7c525437")
def test_an_empty_list_changes_nothing(table: WatchedServer, worker_ids: list[Any]) -> None:
    table.register()
    table.must_have(why="an empty list was registered")
    table.register(_valid_timer(table, worker_ids[0], "scope"))
    before = table.timers()
    table.register()
    table.must_have(*before, why="a timer and then an empty list were registered")


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
    table.must_have(
        *[(first, "other", later), (second, "scope", later)],
        why=f"'scope' of {first} was acquired, and released twice",
    )


@requirement("SERVER-REGISTER-REPLACE@dd4900ba")
def test_registering_again_replaces(table: WatchedServer, worker_ids: list[Any]) -> None:
    worker = worker_ids[0]
    why = ""
    for after in (60, 120, 30, 30):
        why += f"{', then' if why else 'acquired'} for {after} s"
        table.register(_valid_timer(table, worker, "scope", after))
        expiration_time = table.clock.time() + after
        timer = (worker, "scope", expiration_time)
        table.must_have(timer, why=why)
        # A millisecond to either side: to the last bit it is SERVER-EXPIRED-INCLUSIVE's.
        table.must_have(expired_by=expiration_time - 0.001, why=why)
        table.must_have(timer, expired_by=expiration_time + 0.001, why=why)
    table.register(_release_timer(table, worker, "scope"))
    table.must_have(why=f"{why}, and released once")


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
    # With few scopes every request meets others of its timer. With many, most are the last of
    # theirs, so that one that is lost is missed.
    scopes = [f"scope {number}" for number in range(generator.choice([3, 30]))]
    for _ in range(100):
        key = generator.choice(worker_ids), generator.choice(scopes)
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
    timers = [(*key, at) for key, at in expected.items()]
    in_one.must_have(*timers, why="100 requests were registered in one list")
    one_by_one.must_have(*timers, why="100 requests were registered one by one")


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
    before = table.timers()
    kept = [timer for timer in before if timer[0] == second]
    table.server.clear_timers(set())
    table.must_have(*before, why="no worker was cleared")
    for times in ("", " again"):
        table.server.clear_timers({first, third})
        table.must_have(*kept, why=f"{first} and {third}, which has no timers, were cleared{times}")


@requirement("SERVER-EXPIRED-INCLUSIVE@3558c3e7")
@pytest.mark.parametrize("after", [0.0, 0.1, 1 / 3, 60.0])
def test_expired_means_at_or_before(
    table: WatchedServer, worker_ids: list[Any], after: float
) -> None:
    table.register(_valid_timer(table, worker_ids[0], "scope", after))
    expiration_time = table.clock.time() + after
    timer = (worker_ids[0], "scope", expiration_time)
    just_before = math.nextafter(expiration_time, -math.inf)
    just_after = math.nextafter(expiration_time, math.inf)
    table.must_have(expired_by=just_before, why="asked one float before the expiration time")
    table.must_have(timer, expired_by=expiration_time, why="asked at the expiration time")
    table.must_have(timer, expired_by=just_after, why="asked one float after the expiration time")


@requirement("SERVER-EXPIRED-GROUPED@6e5889dc")
def test_expired_are_grouped_by_worker(table: WatchedServer, worker_ids: list[Any]) -> None:
    none, some, only = worker_ids
    now = table.clock.time()
    table.register(
        _valid_timer(table, none, "one"),
        _valid_timer(table, some, "one"),
        _expired_timer(table, some, "two", 1),
        _expired_timer(table, some, "three", 2),
        _expired_timer(table, only, "one"),
    )
    before = table.timers()
    for times in ("once", "twice"):
        expired = table.server.get_expired_timers(now)
        assert set(expired) == {some, only}, (
            f"{some} and {only} have expired timers, and the keys are {sorted(expired)}"
        )
        table.must_have(
            *[(some, "two", now - 1), (some, "three", now - 2), (only, "one", now - 60)],
            expired_by=now,
            why=f"asked {times} what has expired",
        )
    table.must_have(*before, why="asked twice what has expired")

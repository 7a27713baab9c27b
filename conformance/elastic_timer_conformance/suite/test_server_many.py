"""SERVER and WATCHDOG: so many timers that a server may well keep them in an order of its own.

An index by deadline is what makes a server fast, and is easily wrong only for some of its entries.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.stand_ins import stand_ins
from elastic_timer_conformance.harness.watched import WatchedServer
from elastic_timer_conformance.requirement import requirement

# Workers: enough for an index with several levels.
MANY = 40

# Seconds until the last of them is late, a watchdog in each.
LAST = 30

# How often one timer is put forward: more often than an index may hold what is left over.
OFTEN = 5000


@pytest.fixture(scope="module")
def many(backend: Backend) -> Iterator[list[Any]]:
    """The ids of many living workers."""
    with stand_ins(MANY) as pids:
        yield [backend.worker_id(pid) for pid in pids]


class Crowd:
    """Many workers before one server, each with one timer, and when each is to be reaped."""

    def __init__(self, server: WatchedServer, workers: list[Any], seed: int) -> None:
        self.generator = random.Random(seed)
        self.server = server
        self.workers = workers
        self.expected: dict[Any, float] = {}

    def acquire(self, worker: Any) -> None:
        """Acquire the worker's timer, or acquire it again, for some time to come."""
        after = self.generator.uniform(0.5, LAST)
        self.server.register(self.server.request(worker, "scope", after))
        self.expected[worker] = self.server.clock.time() + after

    def release(self, worker: Any) -> None:
        """Release the worker's timer."""
        self.server.register(self.server.release(worker, "scope"))
        self.expected.pop(worker, None)

    def pass_a_second(self) -> None:
        """Let time pass, and compare who is reaped with who has become late."""
        self.server.clock.advance(1)
        now = self.server.clock.time()
        late = [worker for worker, end in self.expected.items() if end <= now]
        self.server.reaped.clear()
        self.server.run_watchdog()
        early, missed = set(self.server.reaped) - set(late), set(late) - set(self.server.reaped)
        assert not early, f"reaped with time left, or with no timer: {early}"
        assert not missed, f"their timers expired in the last second, and they live: {missed}"
        assert len(self.server.reaped) == len(late), f"reaped twice: {self.server.reaped}"
        for worker in late:
            del self.expected[worker]


@pytest.fixture(params=range(3))
def crowd(
    watched: Callable[..., WatchedServer], many: list[Any], request: pytest.FixtureRequest
) -> Crowd:
    """A crowd in which every worker has acquired its timer."""
    crowd = Crowd(watched(), many, request.param)
    for worker in many:
        crowd.acquire(worker)
    return crowd


@requirement("WATCHDOG-LATENCY@7687e576")
def test_each_of_many_is_reaped_at_the_first_watchdog_after_its_expiration(crowd: Crowd) -> None:
    for _ in range(LAST):
        crowd.pass_a_second()
    assert not crowd.expected


# Who is late counts here as soon as the first watchdog can find it, however often it acquired.
@requirement("SERVER-REGISTER-REPLACE@dd4900ba", "WATCHDOG-LATENCY@7687e576")
def test_each_of_many_timers_counts_as_it_was_acquired_last(crowd: Crowd) -> None:
    for _ in range(LAST):
        for worker in crowd.generator.sample(crowd.workers, MANY // 4):
            crowd.acquire(worker)
        crowd.pass_a_second()
    for _ in range(LAST):
        crowd.pass_a_second()
    assert not crowd.expected


@requirement("SERVER-REGISTER-RELEASE@51321442", "WATCHDOG-LATENCY@7687e576")
def test_of_many_timers_those_that_are_released_are_gone(crowd: Crowd) -> None:
    for _ in range(LAST):
        for worker in crowd.generator.sample(crowd.workers, MANY // 20):
            crowd.release(worker)
        crowd.pass_a_second()
    assert not crowd.expected


@requirement("SERVER-REGISTER-REPLACE@dd4900ba")
def test_a_timer_that_is_put_forward_again_and_again(
    watched: Callable[..., WatchedServer], worker_ids: list[Any]
) -> None:
    hasty, steady, other = worker_ids
    one = watched()
    one.register(one.request(steady, "scope", 45))
    one.register(one.request(other, "released", 10), one.release(other, "released"))
    for number in range(OFTEN):
        one.register(one.request(hasty, "scope", 35 + OFTEN - number))
    one.register(one.request(other, "released", 55))
    for after, reaped in ((35, []), (1, [hasty]), (8, []), (1, [steady]), (9, []), (1, [other])):
        one.clock.advance(after)
        one.reaped.clear()
        one.run_watchdog()
        assert one.reaped == reaped
    assert one.timers() == []

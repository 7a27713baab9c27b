"""The model's table does what the page on the server demands of a table."""

from __future__ import annotations

import itertools
import math

import pytest
from elastic_timer_spec.model.timers import (
    Outcome,
    Release,
    Request,
    Table,
    Timer,
    after_reaping,
    cleared,
    expired,
    expired_by,
    late,
    registered,
)

REQUESTS: list[Request] = [
    request
    for worker, scope in itertools.product((0, 1), "ab")
    for request in (
        Timer(worker, scope, 1.0, 101.0),
        Timer(worker, scope, 2.0, 102.0),
        Release(worker, scope),
    )
]
# Every table with timers of two workers and two scopes, each with two deadlines.
TABLES: list[Table] = sorted(
    {registered((), requests) for requests in itertools.permutations(REQUESTS, 4)}
)


def test_there_is_one_timer_for_a_worker_and_a_scope() -> None:
    assert len(TABLES) > 50
    for table in TABLES:
        keys = [(timer.worker, timer.scope) for timer in table]
        assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_concerns_its_own_timer_and_no_other(request_: Request) -> None:
    for table in TABLES:
        others = [t for t in table if (t.worker, t.scope) != (request_.worker, request_.scope)]
        wanted = [*others, request_] if isinstance(request_, Timer) else others
        assert registered(table, [request_]) == tuple(sorted(wanted))


def test_requests_take_effect_in_their_order() -> None:
    for requests in itertools.product(REQUESTS, repeat=3):
        one_by_one: Table = ()
        for request in requests:
            one_by_one = registered(one_by_one, [request])
        assert registered((), requests) == one_by_one


def test_requests_of_different_workers_take_effect_in_any_order() -> None:
    for first, second in itertools.product(REQUESTS, repeat=2):
        if first.worker != second.worker:
            for table in TABLES:
                assert registered(table, [first, second]) == registered(table, [second, first])


@pytest.mark.parametrize("workers", [set(), {0}, {1}, {0, 1}, {2}])
def test_clearing_drops_all_timers_of_these_workers_and_no_others(workers: set[int]) -> None:
    for table in TABLES:
        left = cleared(table, workers)
        assert set(left) == {timer for timer in table if timer.worker not in workers}


@pytest.mark.parametrize("deadline", [1.0, 2.0])
def test_expired_means_at_or_before(deadline: float) -> None:
    table = registered((), [Timer(0, "a", deadline, 100 + deadline)])
    assert expired(table, deadline) == expired_by(table, 100 + deadline) == table
    assert expired(table, math.nextafter(deadline, 0)) == ()
    assert expired_by(table, math.nextafter(100 + deadline, 0)) == ()


def test_a_worker_is_late_once_however_many_of_its_timers_have_expired() -> None:
    for table, now in itertools.product(TABLES, (0.0, 1.0, 2.0)):
        assert list(late(table, now)) == sorted({t.worker for t in table if t.deadline <= now})


@pytest.mark.parametrize("outcome", Outcome)
def test_a_failure_leaves_everything_and_all_else_nothing(outcome: Outcome) -> None:
    for table, worker in itertools.product(TABLES, (0, 1)):
        left = table if outcome is Outcome.FAILS else cleared(table, {worker})
        assert after_reaping(table, worker, outcome) == left

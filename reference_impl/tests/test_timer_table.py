"""The timer table against a table that looks at everything."""

from __future__ import annotations

import math

import pytest
from elastic_timer.api import TimerRequest
from elastic_timer.clock import Instant
from elastic_timer.timer_table import _SWEEP_AFTER, TimerTable
from elastic_timer.worker import WorkerId
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

WORKERS = st.sampled_from([11, 12, 13])
SCOPES = st.sampled_from(["a", "b", "c"])
DEADLINES = st.integers(0, 20).map(float)


def at(deadline: float) -> Instant:
    """An instant whose two clocks differ, so that mixing them up shows."""
    return Instant(1_000.0 + deadline, deadline)


def take(table, worker, *requests):
    """Have a table take requests that all count as one worker's, and are all of them fine."""
    table.take(requests, lambda request: worker, pytest.fail)


def release(worker, scope):
    return TimerRequest(worker, scope, -1)


class TableAgainstScan(RuleBasedStateMachine):
    """Whatever is done to both, they answer alike."""

    def __init__(self) -> None:
        super().__init__()
        self.table = TimerTable()
        self.scan: dict[tuple[int, str], TimerRequest] = {}
        self.asked_up_to = -math.inf

    @rule(worker=WORKERS, scope=SCOPES, deadline=DEADLINES)
    def arm(self, worker, scope, deadline):
        request = TimerRequest(worker, scope, at(deadline))
        take(self.table, worker, request)
        self.scan[worker, scope] = request

    @rule(worker=WORKERS, scope=SCOPES)
    def release(self, worker, scope):
        take(self.table, worker, release(worker, scope))
        self.scan.pop((worker, scope), None)

    @rule(
        named=st.lists(st.tuples(WORKERS, SCOPES, st.none() | DEADLINES), max_size=8),
        unknown=st.none() | WORKERS,
    )
    def take_many(self, named, unknown):
        """Of all workers by turns, one of whom may not be known."""
        requests = [
            TimerRequest(worker, scope, -1 if deadline is None else at(deadline))
            for worker, scope, deadline in named
        ]
        self.table.take(
            requests,
            lambda request: None if request.worker_id == unknown else request.worker_id,
            pytest.fail,
        )
        for request in requests:
            if request.worker_id == unknown:
                continue
            if request.expiration_time < 0:
                self.scan.pop((request.worker_id, request.scope_id), None)
            else:
                self.scan[request.worker_id, request.scope_id] = request

    @rule(worker=WORKERS)
    def clear(self, worker):
        self.table.clear(worker)
        self.scan = {key: r for key, r in self.scan.items() if key[0] != worker}

    @rule()
    def sweep(self):
        self.table._sweep()

    @rule(deadline=DEADLINES)
    def expired_by_deadline(self, deadline):
        self._compare(self.table.expired(at(deadline)), deadline)

    @rule(deadline=DEADLINES)
    def expired_by_expiration_time(self, deadline):
        self._compare(self.table.expired(1_000.0 + deadline), deadline)

    def _compare(self, answer, deadline):
        expected: dict[int, dict[str, TimerRequest]] = {}
        for (worker, scope), request in self.scan.items():
            if request.expiration_time.monotonic <= deadline:
                expected.setdefault(worker, {})[scope] = request
        assert {w: {r.scope_id: r for r in rs} for w, rs in answer.items()} == expected
        assert sum(map(len, answer.values())) == sum(map(len, expected.values()))

    @rule(after=DEADLINES)
    @precondition(lambda self: self.scan)
    def next_deadline_is_never_too_late(self, after):
        later = [
            r.expiration_time.monotonic
            for r in self.scan.values()
            if r.expiration_time.monotonic > after
        ]
        assert after < self.table.next_deadline(after) <= min(later, default=math.inf)

    @invariant()
    def the_next_deadline_of_all_is_exact(self):
        deadlines = [request.expiration_time.monotonic for request in self.scan.values()]
        assert self.table.next_deadline(-math.inf) == min(deadlines, default=math.inf)

    @invariant()
    def they_hold_the_same_timers(self):
        assert len(self.table) == len(self.scan)
        assert set(self.table) == set(self.scan)
        assert all(key in self.table for key in self.scan)
        assert (99, "a") not in self.table
        assert "a" not in self.table


TestTableAgainstScan = TableAgainstScan.TestCase
TestTableAgainstScan.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)


def test_entering_one_block_again_and_again_does_not_grow_the_heap():
    table = TimerTable()
    for step in range(10_000):
        take(table, 11, TimerRequest(11, "a", at(float(step))), release(11, "a"))
    assert len(table._heap) == 1


def test_scopes_that_never_come_back_do_not_grow_the_table_without_bound():
    table = TimerTable()
    for step in range(10 * _SWEEP_AFTER):
        scope = f"step {step}"
        take(table, 11, TimerRequest(11, scope, at(1e6)), release(11, scope))
    assert len(table._heap) <= _SWEEP_AFTER + 2
    assert sum(map(len, table._workers.values())) <= _SWEEP_AFTER + 2


def test_a_plain_expiration_time_is_converted_when_it_is_armed(clock):
    table = TimerTable(clock)
    take(table, 11, TimerRequest(11, "a", clock.wall + 4.0))
    clock.wall += 3600.0
    assert table.next_deadline(-math.inf) == clock.mono + 4.0


@pytest.mark.parametrize(("offset", "expired"), [(-1e-9, False), (0.0, True)])
def test_a_timer_has_expired_at_its_deadline_and_not_before(offset, expired):
    table = TimerTable()
    take(table, 11, TimerRequest(11, "a", at(5.0)))
    assert bool(table.expired(at(5.0 + offset))) is expired


def test_a_worker_is_asked_for_again_unless_the_request_brings_the_very_object():
    asked = []
    known = WorkerId(4_000_000, 7)

    def sender_of(request):
        asked.append(request.scope_id)
        return known

    table = TimerTable()
    requests = [
        TimerRequest(worker, scope, at(5.0))
        for scope, worker in [
            ("first", known),
            ("the same", known),
            ("equal", WorkerId(4_000_000, 7)),
            ("earlier", WorkerId(4_000_000, 6)),
            ("plain", 4_000_000),
            ("the same again", known),
        ]
    ]
    table.take(requests, sender_of, pytest.fail)
    assert asked == ["first", "equal", "earlier", "plain"]
    assert set(table) == {(known, request.scope_id) for request in requests}


@pytest.mark.parametrize("junk", ["text", TimerRequest(11, "s", None), TimerRequest(11, [], 1.0)])
def test_whoever_is_told_of_junk_may_clear_the_worker_whose_requests_go_on(junk):
    table = TimerTable()
    refused = []

    def refuse(request, error):
        refused.append(request)
        table.clear(11)

    before, after = (TimerRequest(11, "s", at(deadline)) for deadline in (5.0, 6.0))
    table.take([before, junk, after], lambda request: 11, refuse)
    assert set(table) == {(11, "s")}
    assert table.expired(at(6.0)) == {11: [after]}
    assert refused == [junk]


def test_requests_of_nobody_are_passed_over_also_where_they_name_nobody():
    table = TimerTable()
    nobody = TimerRequest(None, "s", at(5.0))
    table.take([nobody, nobody], lambda request: request.worker_id, pytest.fail)
    assert len(table) == 0

"""A worker's table in shared memory: both sides see the same timers, whatever happens between."""

from __future__ import annotations

import math
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
from elastic_timer import expires
from elastic_timer.clock import Instant
from elastic_timer.errors import RequestTooLargeError, TooManyTimersError
from elastic_timer.shared_table import (
    MAX_SCOPE_BYTES,
    MalformedTableError,
    table_name,
    worker_of,
)
from elastic_timer.table_reader import TableReader
from elastic_timer.worker import WorkerId
from elastic_timer.worker_table import _GROWTH, WorkerTable
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

WORKER = WorkerId(123, 456)
SCOPES = st.sampled_from(["a", "b", "long " * 100, "é\n\\\ud800"]) | st.integers(0, 99).map(str)


def at(deadline: float) -> Instant:
    return Instant(1_000.0 + deadline, deadline)


@pytest.fixture
def rings():
    """One entry for each time that the server was told."""
    return []


@pytest.fixture
def table(tmp_path, rings):
    table = WorkerTable(tmp_path, WORKER, lambda: rings.append(None))
    yield table
    table.close()


@pytest.fixture
def reader(table, tmp_path):
    reader = TableReader(tmp_path / table_name(WORKER))
    yield reader
    reader.close()


def test_a_table_is_named_after_its_process():
    assert table_name(WORKER) == "123.456.timers"
    assert worker_of("123.456.timers") == WORKER
    assert worker_of("123.456.timers").start_time == 456
    for name in ("bell", "server", "x.456.timers", "123.456", ".123.456.timers", "123..timers"):
        assert worker_of(name) is None


class BothSides(RuleBasedStateMachine):
    """The reader, however seldom it looks, ends up with what the worker holds."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.directory = tempfile.TemporaryDirectory()
        path = Path(self.directory.name)
        self.rings: list[None] = []
        self.table = WorkerTable(path, WORKER, lambda: self.rings.append(None))
        self.reader = TableReader(path / table_name(WORKER))
        self.held: dict[str, Instant] = {}
        self.known: dict[str, Instant] = {}
        self.bound = math.inf
        self.now = 0.0
        clock = "elastic_timer.worker_table.monotonic"
        self.clock = mock.patch(clock, side_effect=lambda: self.now)
        self.clock.start()

    @rule(scope=SCOPES, deadline=st.integers(1, 50).map(float))
    def arm(self, scope, deadline):
        self.rings.clear()
        self.table.arm(scope, at(deadline))
        must_tell = deadline < self.bound or self.now >= self.bound
        assert bool(self.rings) == must_tell, "the earlier ones are told, and all to a late server"
        self.held[scope] = at(deadline)

    @rule(scope=SCOPES)
    def disarm(self, scope):
        self.table.disarm(scope)
        self.held.pop(scope, None)

    @rule(now=st.integers(0, 50).map(float))
    def let_time_pass(self, now):
        self.now = max(self.now, now)

    @rule()
    def look(self):
        self.reader.unbound()
        for scope, expiration in self.reader.changes():
            if expiration is None:
                del self.known[scope]
            else:
                self.known[scope] = expiration
        self.bound = self.reader.bind(self.now)
        assert self._with_deadlines(self.known) == self._with_deadlines(self.held)
        assert self.bound <= min((e.monotonic for e in self.held.values()), default=math.inf)
        assert self.reader.changes() == []

    @invariant()
    def what_is_armed_can_be_asked_for_at_any_time(self):
        assert self._with_deadlines(dict(self.reader.armed())) == self._with_deadlines(self.held)

    @staticmethod
    def _with_deadlines(timers: dict[str, Instant]) -> dict[str, tuple[float, float]]:
        return {scope: (float(e), e.monotonic) for scope, e in timers.items()}

    def teardown(self):
        self.clock.stop()
        self.reader.close()
        self.table.close()
        self.directory.cleanup()


TestBothSides = BothSides.TestCase
TestBothSides.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_a_loop_through_one_block_tells_the_server_once(table, reader, rings, monkeypatch):
    monkeypatch.setattr("elastic_timer.worker_table.monotonic", lambda: 50.0)
    for step in range(1, 1000):
        table.arm("step", at(60.0 + step))
        table.disarm("step")  # the block was left before the server looked
        if rings == [None] and step == 1:
            reader.unbound()
            reader.changes()
            reader.bind(float(step))
    assert rings == [None]


def client_of(table):
    """A client as ``expires`` needs one."""
    return SimpleNamespace(enter_block=table.enter_block, leave_block=table.leave_block)


def deadlines(reader):
    """What is armed, with the whole seconds from now to the deadline."""
    now = time.monotonic()
    return {scope: round(expiration.monotonic - now) for scope, expiration in reader.armed()}


def test_a_block_is_armed_while_it_is_executed(table, reader):
    with expires(after=10, scope="s", client=client_of(table)):
        assert deadlines(reader) == {"s": 10}
        ((_, expiration),) = reader.armed()
        assert abs(expiration - time.time() - 10) < 5, "the expiration time follows from it"
    assert reader.armed() == []


def test_an_inner_block_of_the_same_scope_ends_by_arming_the_outer_again(table, reader):
    client = client_of(table)
    with expires(after=100, scope="s", client=client):
        with expires(after=10, scope="s", client=client):
            assert deadlines(reader) == {"s": 10}
        assert deadlines(reader) == {"s": 100}
    assert reader.armed() == []


def test_a_block_that_is_left_before_a_later_one_of_its_scope_keeps_the_laters_timer(table, reader):
    first, second, third = (expires(after, "s", client_of(table)) for after in (10, 20, 30))
    for block in (first, second, third):
        block.__enter__()
    second.__exit__(None, None, None)
    assert deadlines(reader) == {"s": 30}
    third.__exit__(None, None, None)
    assert deadlines(reader) == {"s": 10}
    first.__exit__(None, None, None)
    assert reader.armed() == []


def test_blocks_and_calls_may_use_one_scope(table, reader):
    table.arm("s", Instant.now().after(100))
    with expires(after=10, scope="s", client=client_of(table)):
        assert deadlines(reader) == {"s": 10}
        table.arm("s", Instant.now().after(50))
        assert deadlines(reader) == {"s": 50}
    assert reader.armed() == []
    with expires(after=10, scope="s", client=client_of(table)):
        table.disarm("s")
        assert reader.armed() == []
    assert reader.armed() == []


def test_timers_that_were_dropped_come_back_when_they_are_acquired_anew(table, reader):
    table.arm("a", at(5.0))
    table.arm("b", at(6.0))
    reader.changes()
    reader.drop()
    assert reader.armed() == []
    table.arm("b", at(7.0))
    table.arm("c", at(8.0))
    assert reader.armed() == [("b", at(7.0)), ("c", at(8.0))]
    assert reader.changes() == [("b", at(7.0)), ("c", at(8.0))]


def test_a_bound_whose_time_is_over_is_lifted(table, reader):
    table.arm("step", at(5.0))
    table.disarm("step")
    reader.changes()
    assert reader.bind(4.0) == 5.0
    assert reader.bind(5.0) == math.inf


def test_scopes_that_never_come_back_do_not_use_slots_up(table):
    for step in range(10 * _GROWTH):
        table.arm(f"step {step}", at(5.0))
        table.disarm(f"step {step}")
    assert table._words[2] == _GROWTH


def test_timers_that_stay_armed_get_slots_of_their_own(table, reader):
    for step in range(3 * _GROWTH):
        table.arm(f"step {step}", at(5.0 + step))
    assert dict(reader.armed()) == {f"step {n}": 1_005.0 + n for n in range(3 * _GROWTH)}


def test_too_many_timers_are_an_error_that_disturbs_nothing(table, monkeypatch):
    monkeypatch.setattr("elastic_timer.worker_table.MAX_SLOTS", _GROWTH)
    for step in range(_GROWTH):
        table.arm(f"step {step}", at(5.0))
    with pytest.raises(TooManyTimersError, match="never left"):
        table.arm("one more", at(5.0))
    table.disarm("step 7")
    table.arm("one more", at(5.0))


@pytest.mark.parametrize("scope", ["", "x" * MAX_SCOPE_BYTES, "é" * (MAX_SCOPE_BYTES // 2)])
def test_every_scope_that_fits_is_kept_whole(table, reader, scope):
    table.arm(scope, at(5.0))
    assert reader.changes() == [(scope, 1_005.0)]


def test_a_scope_that_does_not_fit_is_refused_and_nothing_is_armed(table, reader):
    with pytest.raises(RequestTooLargeError, match=r"4095 bytes.*shorter"):
        table.arm("x" * (MAX_SCOPE_BYTES + 1), at(5.0))
    assert reader.armed() == []


@pytest.mark.parametrize("deadline", [0.0, -1.0, -1e12])
def test_a_deadline_before_the_host_was_started_is_armed_all_the_same(table, reader, deadline):
    table.arm("s", Instant(0.0, deadline))
    ((_, expiration),) = reader.changes()
    assert 0 < expiration.monotonic < 1e-300


def test_the_epoch_is_an_expiration_time_like_any_other(table, reader):
    table.arm("s", Instant(0.0, 5.0))
    ((_, expiration),) = reader.changes()
    assert (expiration, expiration.monotonic) == (0.0, 5.0)


def test_threads_may_use_one_table(table, reader):
    def work(name: str) -> None:
        for step in range(2000):
            table.arm(name, at(5.0 + step))
            table.arm("shared", at(5.0 + step))
            table.disarm(name)
            table.disarm("shared")
        table.arm(name, at(7.0))

    threads = [threading.Thread(target=work, args=(f"thread {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(scope for scope, _ in reader.armed()) == [f"thread {n}" for n in range(4)]


def test_a_reader_beside_a_writer_never_sees_what_was_not_there(table, reader):
    """Slots are taken over by other scopes all the time, and each scope has its own deadline."""
    done = threading.Event()

    def work() -> None:
        for step in range(20_000):
            table.arm(f"scope {step % 200}", at(1.0 + step % 200))
            table.disarm(f"scope {step % 200}")
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    looks = 0
    while not done.is_set() or looks == 0:
        looks += 1
        for scope, expiration in reader.changes():
            if expiration is not None:
                assert expiration.monotonic == 1.0 + int(scope.removeprefix("scope "))
    thread.join(60)


def test_what_is_no_table_is_refused(tmp_path, table):
    good = tmp_path / table_name(WORKER)
    for name, data, cause in [
        ("bell", b"", "not the name of a table"),
        ("1.2.timers", b"short", "too short"),
        ("3.4.timers", bytes(good.stat().st_size), "another format"),
    ]:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(MalformedTableError, match=cause):
            TableReader(tmp_path / name)


def test_a_link_is_not_followed(tmp_path, table):
    link = tmp_path / "5.6.timers"
    link.symlink_to(tmp_path / table_name(WORKER))
    with pytest.raises(OSError, match="symbolic"):
        TableReader(link)


def test_a_server_that_did_not_look_when_it_was_to_is_told_of_everything(
    table, reader, rings, monkeypatch
):
    monkeypatch.setattr("elastic_timer.worker_table.monotonic", lambda: now)
    now = 1.0
    table.arm("s", at(5.0))
    reader.changes()
    assert reader.bind(now) == 5.0
    rings.clear()
    table.arm("later", at(9.0))
    assert rings == []
    now = 5.0
    table.arm("later", at(10.0))
    assert rings == [None]


def test_a_dropped_timer_does_not_hold_the_bound_back(table, reader):
    table.arm("s", at(5.0))
    reader.changes()
    assert reader.bind(6.0) == 5.0  # expired, but not dealt with: looked into before each judgement
    reader.drop()
    assert reader.bind(6.0) == math.inf


def test_a_signal_handler_in_the_middle_of_claiming_a_slot_gets_another(table, reader, monkeypatch):
    """As if a handler ran while the memory for new slots is being reserved."""
    reserve = os.posix_fallocate

    def reserve_and_be_interrupted(fd, offset, length):
        monkeypatch.setattr(os, "posix_fallocate", reserve)
        reserve(fd, offset, length)
        for name in range(_GROWTH):
            table.arm(f"handler's {name}", at(9.0))

    monkeypatch.setattr(os, "posix_fallocate", reserve_and_be_interrupted)
    table.arm("interrupted", at(7.0))
    armed = reader.armed()
    assert len(armed) == len(dict(armed)) == _GROWTH + 1
    assert ("interrupted", at(7.0)) in armed


def test_both_sides_give_their_descriptors_back(tmp_path):
    before = os.listdir("/proc/self/fd")
    table = WorkerTable(tmp_path, WORKER, lambda: None)
    reader = TableReader(tmp_path / table_name(WORKER))
    reader.close()
    table.close()
    assert os.listdir("/proc/self/fd") == before

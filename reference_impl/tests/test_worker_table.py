"""The worker's side of its table, where threads, signal handlers and interrupts meet in a scope."""

from __future__ import annotations

import sys
import threading
import time
from types import SimpleNamespace

import pytest
from elastic_timer import expires
from elastic_timer.clock import Instant
from elastic_timer.shared_table import table_name
from elastic_timer.table_reader import TableReader
from elastic_timer.worker import WorkerId
from elastic_timer.worker_table import WorkerTable

WORKER = WorkerId(123, 456)

# Seconds for what must happen; it takes microseconds.
ENOUGH = 60.0


@pytest.fixture
def table(tmp_path):
    table = WorkerTable(tmp_path, WORKER, lambda: None)
    yield table
    table.close()


@pytest.fixture
def armed(table, tmp_path):
    """A function that tells what is armed: the whole seconds that are left, by scope."""
    reader = TableReader(tmp_path / table_name(WORKER))

    def seconds_left():
        timers = reader.armed()
        assert len(timers) == len(dict(timers)), "a scope has one timer"
        now = time.monotonic()
        return {scope: round(expiration.monotonic - now) for scope, expiration in timers}

    yield seconds_left
    reader.close()


@pytest.fixture
def block(table):
    """A function that makes a block of the scope "s"."""
    client = SimpleNamespace(enter_block=table.enter_block, leave_block=table.leave_block)
    return lambda after: expires(after, "s", client)


@pytest.fixture
def interrupt(monkeypatch):
    """A function that has something happen the next time that an operation reads the clock.

    There, an operation has taken out what stands for its scope and not yet put anything in.
    """

    def interrupt_with(what):
        def clock():
            monkeypatch.setattr("elastic_timer.worker_table.monotonic", time.monotonic)
            what()
            return time.monotonic()

        monkeypatch.setattr("elastic_timer.worker_table.monotonic", clock)

    return interrupt_with


def in_seconds(seconds):
    return Instant.now().after(seconds)


def test_a_handler_may_guard_a_block_of_the_scope_that_is_being_entered(
    block, armed, interrupt, table
):
    seen = []

    def handler():
        with block(10):
            seen.append(armed())
        seen.append(armed())

    with block(100):
        pass
    interrupt(handler)
    with block(50):
        assert armed() == {"s": 50}
    assert seen == [{"s": 10}, {}]
    assert armed() == {}
    with block(20):
        assert armed() == {"s": 20}
    assert armed() == {}


def test_a_handler_may_guard_a_block_of_the_scope_whose_inner_block_is_being_left(
    block, armed, interrupt
):
    seen = []

    def handler():
        with block(10):
            seen.append(armed())

    with block(100):
        with block(50):
            # Leaving it reads the clock, to arm the outer one again.
            interrupt(handler)
        assert armed() == {"s": 100}
    assert seen == [{"s": 10}]
    assert armed() == {}


def test_a_handler_may_acquire_and_release_the_scope_that_is_being_entered(
    block, table, armed, interrupt
):
    interrupt(lambda: table.arm("s", in_seconds(10)))
    with block(50):
        assert armed() == {"s": 50}, "entering the block comes after what interrupted it"
    assert armed() == {}
    interrupt(lambda: table.disarm("s"))
    with block(50):
        assert armed() == {"s": 50}
    assert armed() == {}


def test_an_exception_inside_an_operation_leaves_the_scope_usable(
    block, armed, interrupt, monkeypatch
):
    monkeypatch.setattr("elastic_timer.worker_table._PATIENCE", 0.01)

    def interrupted():
        raise KeyboardInterrupt

    with block(100):
        interrupt(interrupted)
        with pytest.raises(KeyboardInterrupt):
            block(50).__enter__()
    assert armed() == {}, "the outer block was left, whatever happened inside"
    with block(20):
        assert armed() == {"s": 20}
    assert armed() == {}


@pytest.mark.parametrize("first", ["enter", "leave"])
def test_a_thread_waits_while_another_one_is_at_the_scope(block, table, armed, monkeypatch, first):
    """Not for long: until the other has stored its deadline."""
    reached, go_on = threading.Event(), threading.Event()
    slow = threading.Thread(target=lambda: block(100).__enter__())

    def clock():
        if threading.current_thread() is slow and not reached.is_set():
            reached.set()
            go_on.wait(ENOUGH)
        return time.monotonic()

    with block(1):
        pass
    monkeypatch.setattr("elastic_timer.worker_table.monotonic", clock)
    monkeypatch.setattr("elastic_timer.worker_table._PATIENCE", ENOUGH)
    inner = block(50)
    if first == "leave":
        inner.__enter__()
    slow.start()
    assert reached.wait(ENOUGH)
    other = threading.Thread(
        target=inner.__enter__ if first == "enter" else lambda: inner.__exit__(None, None, None)
    )
    other.start()
    go_on.set()
    for thread in (slow, other):
        thread.join(ENOUGH)
        assert not thread.is_alive()
    assert armed() == ({"s": 50} if first == "enter" else {"s": 100})
    if first == "enter":
        inner.__exit__(None, None, None)
        assert armed() == {"s": 100}, "the other thread's block is still being executed"


@pytest.fixture
def impatient_interpreter():
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("impatient_interpreter")
def test_blocks_of_one_scope_in_many_threads_leave_nothing_armed(block, table, armed):
    def work(number: int) -> None:
        for step in range(2_000):
            with block(1000 + number):
                if step % 7 == 0:
                    with block(500):
                        pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ENOUGH)
        assert not thread.is_alive()
    assert armed() == {}
    assert table._words[2] == 1.0, "they shared one slot"

"""A signal handler may use the scope that it interrupts, wherever in an operation it does.

Each operation is interrupted in turn at each place where the interpreter runs signal handlers:
where a function begins, after a call and where a loop goes round.
"""

from __future__ import annotations

import contextlib
import dis
import itertools
import sys
from types import SimpleNamespace

import pytest
from elastic_timer import expires, slot, worker_table
from elastic_timer.clock import Instant
from elastic_timer.shared_table import table_name
from elastic_timer.table_reader import TableReader
from elastic_timer.worker import WorkerId
from elastic_timer.worker_table import WorkerTable

WORKER = WorkerId(123, 456)
FILES = {worker_table.__file__, slot.__file__}
HANDLERS_RUN_AFTER = {"RESUME", "CALL", "CALL_KW", "CALL_FUNCTION_EX", "JUMP_BACKWARD"}


class Scope:
    """One scope of a table, and what is armed for it."""

    def __init__(self, directory):
        self.table = WorkerTable(directory, WORKER, lambda: None)
        self.reader = TableReader(directory / table_name(WORKER))
        self.client = SimpleNamespace(
            enter_block=self.table.enter_block, leave_block=self.table.leave_block
        )

    def block(self, after):
        return expires(after, "s", self.client)

    def acquire(self, after):
        self.table.arm("s", Instant.now().after(after))

    def release(self):
        self.table.disarm("s")

    def armed(self):
        """Return the whole seconds that are left, or None if the timer is not armed."""
        timers = self.reader.armed()
        assert len(timers) <= 1, "a scope has one timer"
        return round(timers[0][1].monotonic - Instant.now().monotonic) if timers else None

    def close(self):
        self.reader.close()
        self.table.close()


# What is interrupted: it does things, yields what is to be interrupted and what is armed after it,
# and then leaves everything.


def enter_for_the_first_time(scope):
    block = scope.block(50)
    yield block.__enter__, 50
    block.__exit__(None, None, None)


def enter(scope):
    with scope.block(1):
        pass
    yield from enter_for_the_first_time(scope)


def enter_inside(scope):
    with scope.block(100):
        yield from enter_for_the_first_time(scope)


def enter_what_was_acquired(scope):
    scope.acquire(100)
    yield from enter_for_the_first_time(scope)


def leave(scope):
    block = scope.block(50)
    block.__enter__()
    yield lambda: block.__exit__(None, None, None), None


def leave_inside(scope):
    with scope.block(100):
        block = scope.block(50)
        block.__enter__()
        yield lambda: block.__exit__(None, None, None), 100


def leave_around(scope):
    around, block = scope.block(100), scope.block(50)
    around.__enter__()
    block.__enter__()
    yield lambda: around.__exit__(None, None, None), 50
    block.__exit__(None, None, None)


def acquire(scope):
    yield lambda: scope.acquire(50), 50


def release(scope):
    scope.acquire(50)
    yield scope.release, None


# What a handler does, and what is armed if that comes last. After a block it is what was armed
# before, unless that was acquired outside of any block: then leaving the block has released it.


def guard(scope):
    with scope.block(10):
        assert scope.armed() == 10
    return ...


def guard_inside(scope):
    with scope.block(10):
        with scope.block(20):
            assert scope.armed() == 20
        assert scope.armed() == 10
    return ...


def acquire_in_handler(scope):
    scope.acquire(10)
    assert scope.armed() == 10
    return 10


def release_in_handler(scope):
    scope.release()
    assert scope.armed() is None
    return


def interrupted(operation, number, handler):
    """Call ``operation``, and ``handler`` at place ``number``.

    Returns:
        Where it was interrupted, and what the handler has returned; two times ``None`` if the
        operation has fewer places than that.
    """
    places = itertools.count()
    where, came = None, None
    former = {}

    def trace(frame, event, _):
        nonlocal where, came
        code = frame.f_code
        if code.co_filename not in FILES:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            is_place = former.get(frame, "RESUME") in HANDLERS_RUN_AFTER
            former[frame] = dis.opname[code.co_code[frame.f_lasti]]
            if is_place and next(places) == number:
                sys.settrace(None)
                where = f"{code.co_qualname}, line {frame.f_lineno}, byte {frame.f_lasti}"
                came = handler()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        operation()
    finally:
        sys.settrace(before)
    return where, came


@pytest.mark.parametrize("handler", [guard, guard_inside, acquire_in_handler, release_in_handler])
@pytest.mark.parametrize(
    "prepare",
    [
        enter_for_the_first_time,
        enter,
        enter_inside,
        enter_what_was_acquired,
        leave,
        leave_inside,
        leave_around,
        acquire,
        release,
    ],
)
def test_it_is_as_if_the_handler_had_run_before_or_after(prepare, handler, tmp_path, monkeypatch):
    # Nobody else is there who could be waited for.
    monkeypatch.setattr(worker_table, "_PATIENCE_IN_HANDLER", 0.0)
    for number in itertools.count():
        with contextlib.closing(Scope(tmp_path)) as scope:
            steps = prepare(scope)
            operation, expected = next(steps)
            where, came = interrupted(operation, number, lambda scope=scope: handler(scope))
            if came is ...:
                came = None if prepare is acquire else expected
            outcomes = {expected} if where is None else {expected, came}
            assert scope.armed() in outcomes, where
            assert next(steps, None) is None
            scope.release()
            assert scope.armed() is None, where
            with scope.block(30):
                with scope.block(40):
                    assert scope.armed() == 40, where
                assert scope.armed() == 30, where
            assert scope.armed() is None, where
        if where is None:
            break
    assert number >= 3, "an operation begins, takes a holder out and puts one in"

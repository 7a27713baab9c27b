"""EXPIRES, robust profile: blocks in each other and beside each other, and odd durations."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.processes import Host, Worker
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import WorkerContext, hang
from elastic_timer_conformance.workers.blocks import (
    hang_after_an_inner_block,
    hang_beside_another_task,
    hang_beside_another_thread,
)

# Seconds: between two looks of a server at its timers; for a timer that expires while the test
# looks on; and far below minus the time since the epoch.
MAX_INTERVAL = 0.1
SOON = 0.3
LONG_AGO = -1e12


def wait_reaped(worker: Worker, event: str, backend: Backend, allowance: Allowance) -> None:
    """Wait for a worker to be reaped for the timer of which it has written the deadline."""
    deadline = worker.wait_for(event)["deadline"]
    died = worker.wait_dead(deadline - time.monotonic() + MAX_INTERVAL + allowance.signal)
    assert worker.exit_status() == -backend.reap_signal
    assert died >= deadline, f"reaped {deadline - died:.3f} s too early"


# Blocks in each other ---------------------------------------------------------------------------


class Nest:
    """Enters blocks of one scope and checks which expiration time its timer has."""

    def __init__(self, expires: Any, client: Any) -> None:
        self._expires = expires
        self._client = client

    def block(self, after: float) -> Any:
        return self._expires(after=after, scope="scope", client=self._client)

    def check(self, after: float, since: float) -> None:
        """Assert that the timer is armed for `after` from some moment between `since` and now."""
        armed = self._client.armed
        assert list(armed) == ["scope"], (
            f"the block of {after} s is not guarded; what was sent is {self._client.calls}"
        )
        earliest, latest = since + after, time.time() + after
        assert earliest <= armed["scope"] <= latest, (
            f"the block of {after} s is guarded until {armed['scope']}, "
            f"not until between {earliest} and {latest}"
        )


@pytest.fixture
def nest(expires: Any, client: Any) -> Nest:
    return Nest(expires, client)


@requirement("EXPIRES-NESTED-REARM@7b387f39")
@pytest.mark.parametrize(("outer", "inner"), [(60, 30), (30, 60)])
def test_enclosing_block_is_guarded_again(
    nest: Nest, client: Any, outer: float, inner: float
) -> None:
    with nest.block(outer):
        start = time.time()
        with nest.block(inner):
            nest.check(inner, start)
            # Time has to pass, so that counting from the outer entry shows.
            time.sleep(0.02)
            left = time.time()
        nest.check(outer, left)
    assert client.armed == {}
    assert [call[0] for call in client.calls].count("release") == 1


@requirement("EXPIRES-NESTED-REARM@7b387f39")
def test_each_of_three_enclosing_blocks_is_guarded_by_its_own_duration(
    nest: Nest, client: Any
) -> None:
    with nest.block(30):
        with nest.block(20):
            with nest.block(10):
                left = time.time()
            nest.check(20, left)
            # Another one, to see that the order survives.
            with nest.block(5):
                left = time.time()
            nest.check(20, left)
            left = time.time()
        nest.check(30, left)
    assert client.armed == {}


@requirement("EXPIRES-NESTED-REARM@7b387f39")
def test_enclosing_block_is_guarded_again_after_an_exception(nest: Nest, client: Any) -> None:
    left = math.inf

    def raise_in_the_middle() -> None:
        nonlocal left
        with nest.block(20):
            left = time.time()
            raise ValueError("out of the inner block")

    with nest.block(30):
        with pytest.raises(ValueError, match="out of the inner block"):
            raise_in_the_middle()
        nest.check(30, left)
    assert client.armed == {}


@requirement("EXPIRES-NESTED-REARM@7b387f39")
def test_recursion_guards_every_level_again(expires: Any, client: Any) -> None:
    def recurse(level: int) -> None:
        with expires(after=10 * level, client=client):
            scope, _ = client.acquired[-1]
            if level == 1:
                return
            recurse(level - 1)
            until = client.armed.get(scope)
            assert until is not None, f"level {level} is not guarded after level {level - 1}"
            left = until - time.time()
            assert 10 * (level - 1) < left <= 10 * level, (
                f"level {level} has {left:.3f} s after level {level - 1}, and not its own duration"
            )

    recurse(3)
    assert client.armed == {}


@requirement("EXPIRES-NESTED-REARM@7b387f39")
def test_another_client_is_no_enclosing_block(expires: Any, client: Any, make_client: Any) -> None:
    other = make_client()
    with expires(after=60, scope="scope", client=client):
        with expires(after=60, scope="scope", client=other):
            pass
        assert other.armed == {}
        assert len(client.calls) == 1, f"the outer client was called too: {client.calls}"
    assert client.armed == {}


@requirement("EXPIRES-NESTED-REARM@7b387f39")
@pytest.mark.parametrize("raises", [False, True])
def test_hang_in_the_rest_of_an_enclosing_block_is_found(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance, raises: bool
) -> None:
    server = host.start_server(MAX_INTERVAL)
    steps = (SOON, raises)
    worker = host.start_worker(hang_after_an_inner_block, *steps, journal=journal, server=server)
    wait_reaped(worker, "left", backend, allowance)


# Blocks beside each other -----------------------------------------------------------------------


class Meeting:
    """Has two flows of control in one block at once; the one that entered first stays in it."""

    def __init__(self, expires: Any, client: Any) -> None:
        self._expires = expires
        self._client = client
        self.together: dict[str, float] = {}
        self.left_alone: dict[str, float] = {}

    def block(self, scope: str | None = None) -> Any:
        return self._expires(after=60, scope=scope, client=self._client)

    def look_together(self) -> None:
        self.together = self._client.armed

    def look_left_alone(self) -> None:
        self.left_alone = self._client.armed

    def check_two_timers(self) -> None:
        assert len(self.together) == 2, f"two are in the block, with timers {list(self.together)}"
        assert len(self.left_alone) == 1, (
            f"one has left, one has stayed, with timers {list(self.left_alone)}"
        )
        assert self.left_alone.items() <= self.together.items(), (
            "the one that left has changed the timer of the one that stayed: "
            f"{self.together}, then {self.left_alone}"
        )
        assert self._client.armed == {}


def meet_in_threads(meeting: Meeting, allowance: Allowance, scope: str | None = None) -> None:
    first_is_in, second_is_out = threading.Event(), threading.Event()

    def enter(first: bool) -> None:
        with meeting.block(scope):
            if first:
                first_is_in.set()
                second_is_out.wait(allowance.signal)
                meeting.look_left_alone()
            else:
                meeting.look_together()
        if not first:
            second_is_out.set()

    # Of one name, since a name is not what makes a thread.
    threads = [
        threading.Thread(target=enter, args=(first,), name="loader") for first in (True, False)
    ]
    threads[0].start()
    assert first_is_in.wait(allowance.signal)
    threads[1].start()
    for thread in threads:
        thread.join(2 * allowance.signal)
        assert not thread.is_alive()


async def meet_in_tasks(meeting: Meeting) -> None:
    first_is_in, second_is_out = asyncio.Event(), asyncio.Event()

    async def enter(first: bool) -> None:
        with meeting.block():
            await asyncio.sleep(0)
            if first:
                first_is_in.set()
                await second_is_out.wait()
                meeting.look_left_alone()
            else:
                meeting.look_together()
        second_is_out.set()

    # A task that fails ends the wait for what it was to do.
    async with asyncio.TaskGroup() as group:
        group.create_task(enter(True))
        await first_is_in.wait()
        group.create_task(enter(False))


@requirement("EXPIRES-THREADS@f022affc")
def test_two_threads_hold_two_timers(expires: Any, client: Any, allowance: Allowance) -> None:
    meeting = Meeting(expires, client)
    meet_in_threads(meeting, allowance)
    meeting.check_two_timers()


@requirement("EXPIRES-THREADS@f022affc")
def test_a_scope_that_is_given_is_shared_by_threads(
    expires: Any, client: Any, allowance: Allowance
) -> None:
    meeting = Meeting(expires, client)
    meet_in_threads(meeting, allowance, scope="scope")
    assert list(meeting.together) == ["scope"], (
        f"two threads gave the scope 'scope', and the timers were {list(meeting.together)}"
    )
    assert client.armed == {}


@requirement("EXPIRES-THREADS@f022affc")
def test_thread_that_hangs_is_found(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    worker = host.start_worker(hang_beside_another_thread, SOON, journal=journal, server=server)
    wait_reaped(worker, "left", backend, allowance)


@requirement("EXPIRES-TASKS@fc7aa4cc")
def test_two_tasks_hold_two_timers(expires: Any, client: Any) -> None:
    meeting = Meeting(expires, client)
    asyncio.run(meet_in_tasks(meeting))
    meeting.check_two_timers()


@requirement("EXPIRES-TASKS@fc7aa4cc")
def test_task_that_hangs_is_found(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    worker = host.start_worker(hang_beside_another_task, SOON, journal=journal, server=server)
    wait_reaped(worker, "left", backend, allowance)


# Odd durations ----------------------------------------------------------------------------------


@requirement("EXPIRES-INVALID@e5d569d2")
@pytest.mark.parametrize(
    ("after", "error"),
    [
        (math.nan, ValueError),
        (math.inf, ValueError),
        (-math.inf, ValueError),
        (None, TypeError),
        ("60", TypeError),
    ],
)
def test_what_is_no_duration_is_refused(
    expires: Callable[..., Any], client: Any, after: Any, error: type[Exception]
) -> None:
    ran = False
    raised: Exception | None = None
    try:
        with expires(after=after, scope="scope", client=client):
            ran = True
    except Exception as refusal:
        raised = refusal
    assert not ran, f"{after!r} is no duration, and the block was run all the same"
    assert client.calls == [], f"{after!r} is no duration, and what was sent is {client.calls}"
    assert isinstance(raised, error), (
        f"{after!r} is no duration, and was not refused by {error.__name__} but by {raised!r}"
    )


@requirement("EXPIRES-INVALID@e5d569d2")
@pytest.mark.parametrize("after", [60, 60.0, Fraction(121, 2), Decimal("60.5")])
def test_every_finite_number_is_a_duration(expires: Any, client: Any, after: Any) -> None:
    before = time.time()
    with expires(after=after, scope="scope", client=client):
        within = time.time()
    [(_, expiration_time)] = client.acquired
    assert before + float(after) <= expiration_time <= within + float(after)


@requirement("EXPIRES-INVALID@e5d569d2")
@pytest.mark.parametrize("after", [-1, LONG_AGO])
def test_a_negative_duration_has_expired_and_is_no_release(
    expires: Any, client: Any, after: float
) -> None:
    refused = None
    try:
        with expires(after=after, scope="scope", client=client):
            [(scope, expiration_time)] = client.acquired
            now = time.time()
    except (TypeError, ValueError) as error:
        refused = error
    assert refused is None, f"{after} s are a duration, and were refused: {refused!r}"
    assert scope == "scope"
    assert expiration_time >= 0, (
        f"a block of {after} s was acquired until {expiration_time}, which is a release"
    )
    assert expiration_time <= now, f"a block of {after} s expires {expiration_time - now} s later"
    assert client.armed == {}


@requirement("EXPIRES-INVALID@e5d569d2")
def test_a_block_that_has_expired_at_once_is_found(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    worker = host.start_worker(hang_from_long_ago, journal=journal, server=server)
    worker.wait_for("entering")
    worker.wait_dead(MAX_INTERVAL + allowance.signal)
    assert worker.exit_status() == -backend.reap_signal


def hang_from_long_ago(worker: WorkerContext) -> None:
    """In a worker: hang in a block whose timer expired before there were clocks."""
    worker.api.configure(worker.client)
    worker.journal.write("entering")
    with worker.api.expires(after=LONG_AGO):
        hang()

"""EXPIRES: configure, and blocks guarded by expires."""

from __future__ import annotations

import os
import re
import sys
import time
from asyncio import CancelledError
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.journal import Journal
from elastic_timer_conformance.patience import TooSlowError, with_time_enough
from elastic_timer_conformance.processes import Host
from elastic_timer_conformance.requirement import not_applicable, requirement
from elastic_timer_conformance.workers import WorkerContext, func, hang

Configure = Callable[[Any], None]

# Seconds: between two looks of a server at its timers; for a timer that expires while the test
# looks on; and for one that is not to.
MAX_INTERVAL = 0.1
SOON = 0.3
NEVER = 3600.0


class RecordingClient:
    """Records what it is called for. A mix-in: a client of the backend's own kind is made of it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        self.calls.append(("acquire", scope_id, expiration_time))

    def release(self, scope_id: str) -> None:
        self.calls.append(("release", scope_id))

    @property
    def acquired(self) -> list[tuple[str, float]]:
        """Scope and expiration time of every acquire."""
        return [(call[1], call[2]) for call in self.calls if call[0] == "acquire"]

    @property
    def armed(self) -> dict[str, float]:
        """The timers that a server would have now: expiration times by scope."""
        timers: dict[str, float] = {}
        for kind, scope, *time_ in self.calls:
            if kind == "acquire":
                timers[scope] = time_[0]
            else:
                timers.pop(scope, None)
        return timers


@pytest.fixture
def make_client(api: Any) -> Callable[[], Any]:
    kind = type("RecordingTimerClient", (RecordingClient, api.TimerClient or object), {})
    return lambda: kind()


@pytest.fixture
def client(make_client: Callable[[], Any]) -> Any:
    return make_client()


@pytest.fixture
def expires(api: Any) -> Any:
    if api.expires is None:
        not_applicable("the backend's namespace has no expires")
    return api.expires


# One block ----------------------------------------------------------------------------------


@requirement("EXPIRES-CONFIGURED")
def test_no_client(expires: Any, configured: Configure) -> None:
    configured(None)
    ran = []
    with pytest.raises(RuntimeError), expires(after=1, scope="scope"):
        ran.append(True)
    assert not ran, "the block was run without a guard"


@requirement("EXPIRES-CONFIGURED")
def test_configured_client_is_used_until_it_is_taken_away(
    expires: Any, configured: Configure, make_client: Any
) -> None:
    first, second = make_client(), make_client()
    for client in (first, second):
        configured(client)
        with expires(after=1, scope="scope"):
            pass
        assert [call[:2] for call in client.calls] == [("acquire", "scope"), ("release", "scope")]
    configured(None)
    with pytest.raises(RuntimeError), expires(after=1, scope="scope"):
        pass


@requirement("EXPIRES-CLIENT")
@pytest.mark.parametrize("other_configured", [True, False])
def test_client_interaction(
    expires: Any, configured: Configure, make_client: Any, client: Any, other_configured: bool
) -> None:
    other = make_client()
    configured(other if other_configured else None)
    with expires(after=1, scope="scope", client=client):
        assert [call[:2] for call in client.calls] == [("acquire", "scope")]
    assert [call[:2] for call in client.calls] == [("acquire", "scope"), ("release", "scope")]
    assert other.calls == []


@requirement("EXPIRES-DEADLINE")
@pytest.mark.parametrize("after", [0, 0.25, 60, 1e6])
def test_expiration_time_is_entry_plus_after(expires: Any, client: Any, after: float) -> None:
    before = time.time()
    with expires(after=after, scope="scope", client=client):
        within = time.time()
    [(_, expiration_time)] = client.acquired
    assert before + after <= expiration_time <= within + after


@requirement("EXPIRES-DEADLINE")
def test_time_counts_from_entry_not_from_creation(expires: Any, client: Any) -> None:
    manager = expires(after=60, scope="scope", client=client)
    # Time has to pass between the two; more than the clock's resolution is enough.
    time.sleep(0.02)
    before = time.time()
    with manager:
        pass
    [(_, expiration_time)] = client.acquired
    assert expiration_time >= before + 60


class CustomBaseError(BaseException):
    """What no handler of the standard library's knows."""


@requirement("EXPIRES-EXCEPTION")
@pytest.mark.parametrize(
    "kind",
    [ValueError, StopIteration, KeyboardInterrupt, SystemExit, CancelledError, CustomBaseError],
)
def test_exception_propagation(expires: Any, client: Any, kind: type[BaseException]) -> None:
    error = kind("out of the block")
    seen: BaseException | None = None
    try:
        with expires(after=60, scope="scope", client=client):
            raise error
    except BaseException as caught:
        seen = caught
    assert seen is error, f"{error!r} was raised in the block, and {seen!r} came out"
    assert client.calls[-1] == ("release", "scope")


@requirement("EXPIRES-DECORATOR")
def test_guards_each_call_of_a_decorated_function(expires: Any, client: Any) -> None:
    def add_(left: int, right: int = 0) -> int:
        """Add two numbers."""
        assert "scope" in client.armed
        return left + right

    add = expires(after=60, scope="scope", client=client)(add_)
    assert add.__name__ == "add_"
    assert add.__doc__ == "Add two numbers."
    assert client.calls == []
    assert add(1, right=2) == 3
    assert client.armed == {}
    time.sleep(0.02)  # see test_time_counts_from_entry_not_from_creation
    before = time.time()
    assert add(3, 4) == 7
    assert client.acquired[1][1] >= before + 60
    assert client.armed == {}


# Which timer a block means ------------------------------------------------------------------


def names_line(scope: str, line: int) -> bool:
    """Tell whether a scope names this file and the line."""
    return re.search(rf"{re.escape(os.path.basename(__file__))}#{line}(?!\d)", scope) is not None


def current_line() -> int:
    """Return the number of the caller's line."""
    return sys._getframe(1).f_lineno


@requirement("EXPIRES-DEFAULT-SCOPE")
def test_default_scope_names_file_and_line(expires: Any, client: Any) -> None:
    line = current_line() + 1
    with expires(after=60, client=client):
        pass
    [(scope, _)] = client.acquired
    assert names_line(scope, line), (
        f"the block is at {os.path.basename(__file__)}#{line}, and its scope is {scope!r}"
    )
    assert client.armed == {}


@requirement("EXPIRES-DEFAULT-SCOPE")
def test_default_scope_of_a_manager_names_the_line_of_the_call(expires: Any, client: Any) -> None:
    line = current_line() + 1
    manager = expires(after=60, client=client)
    with manager:
        pass
    [(scope, _)] = client.acquired
    assert names_line(scope, line), f"the call is on line {line}, and its scope is {scope!r}"


@requirement("EXPIRES-DEFAULT-SCOPE-DISTINCT")
def test_two_call_sites_have_two_scopes(expires: Any, client: Any) -> None:
    with expires(after=60, client=client):
        with expires(after=30, client=client):
            assert len(client.armed) == 2, f"two blocks, one timer: {list(client.armed)}"
        assert len(client.armed) == 1, "the end of the inner block disarmed the outer one"
    assert client.armed == {}


@requirement("EXPIRES-DEFAULT-SCOPE-DISTINCT")
def test_inner_block_does_not_disarm_an_outer_one(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    worker = host.start_worker(hang_after_an_inner_block, SOON, journal=journal, server=server)
    deadline = worker.wait_for("entered")["deadline"]
    worker.wait_dead(deadline - time.monotonic() + MAX_INTERVAL + allowance.signal)
    assert worker.exit_status() == -backend.reap_signal


def hang_after_an_inner_block(worker: WorkerContext, after: float) -> None:
    """In a worker: hang in a block after another one inside it has ended."""
    worker.api.configure(worker.client)
    before = time.monotonic()
    with worker.api.expires(after=after):
        with worker.api.expires(after=NEVER):
            pass
        worker.journal.write("entered", deadline=before + after)
        hang()


@requirement("EXPIRES-RECURSION")
def test_recursion_reacquires_one_timer(expires: Any, client: Any) -> None:
    times: list[float] = []

    def recurse(depth: int) -> None:
        with expires(after=60 * depth, client=client):
            assert len(client.armed) == 1, f"one call site, several timers: {list(client.armed)}"
            times.extend(client.armed.values())
            if depth > 1:
                recurse(depth - 1)

    before = time.time()
    recurse(3)
    after = time.time()
    for seen, depth in zip(times, (3, 2, 1), strict=True):
        assert before + 60 * depth <= seen <= after + 60 * depth, "not the last entry's time"
    assert client.armed == {}


@requirement("EXPIRES-RECURSION")
def test_get_timer_recursive(host: Host, journal: Journal, allowance: Allowance) -> None:
    server = host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(after: float) -> None:
        # Four levels, each 0.4 of the timer's duration: in total 1.6 times as long as it.
        steps = (after, 4, 0.4 * after)
        worker = host.start_worker(recurse_and_return, *steps, journal=journal, server=server)
        entered = [worker.wait_for("entered", count=level + 1) for level in range(4)]
        for previous, next_ in pairwise(entered):
            if next_["at"] >= previous["deadline"]:
                raise TooSlowError
        worker.wait_dead(after * 2 + allowance.signal)
        if (status := worker.exit_status()) != 0:
            # The innermost block is the only one whose time of leaving can have been too late.
            left = [entry["at"] for entry in worker.journal.entries("left", worker.pid)]
            in_time = any(at < entered[-1]["deadline"] for at in left)
            assert not in_time, f"the worker recursed in time and ended with status {status}"
            raise TooSlowError


@requirement("EXPIRES-RECURSION")
def test_hang_in_the_deepest_recursion_is_found(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    worker = host.start_worker(recurse_and_hang, 3, SOON, journal=journal, server=server)
    deadline = worker.wait_for("entered")["deadline"]
    died = worker.wait_dead(SOON + MAX_INTERVAL + allowance.signal)
    assert worker.exit_status() == -backend.reap_signal
    assert died >= deadline


def recurse_and_return(worker: WorkerContext, after: float, levels: int, pause: float) -> None:
    """In a worker: enter one block again and again inside itself, with a pause in each."""
    worker.api.configure(worker.client)

    def recurse(level: int) -> None:
        before = time.monotonic()
        with worker.api.expires(after=after):
            worker.journal.write("entered", deadline=before + after)
            time.sleep(pause)
            if level > 1:
                recurse(level - 1)
        worker.journal.write("left")

    recurse(levels)


def recurse_and_hang(worker: WorkerContext, levels: int, after: float) -> None:
    """In a worker: hang in the innermost block; all the others have time enough."""
    worker.api.configure(worker.client)

    def recurse(level: int) -> None:
        duration = NEVER if level > 1 else after
        before = time.monotonic()
        with worker.api.expires(after=duration):
            if level > 1:
                recurse(level - 1)
            worker.journal.write("entered", deadline=before + duration)
            hang()

    recurse(levels)


@requirement("EXPIRES-EXCEPTION")
def test_worker_that_handles_an_exception_lives(host: Host, journal: Journal) -> None:
    server = host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(after: float) -> None:
        worker = host.start_worker(raise_and_handle, after, journal=journal, server=server)
        handled = worker.wait_for("handled")
        if handled["at"] >= handled["deadline"]:
            raise TooSlowError
        server.pass_by(handled["deadline"], journal)
        assert worker.is_alive, "reaped although the exception had left the block in time"


def raise_and_handle(worker: WorkerContext, after: float) -> None:
    """In a worker: leave a block by an exception, handle it and go on."""
    worker.api.configure(worker.client)
    before = time.monotonic()
    try:
        with worker.api.expires(after=after):
            raise ValueError("out of the block")
    except ValueError:
        worker.journal.write("handled", deadline=before + after)
    hang()


@requirement("EXPIRES-DEADLINE")
def test_block_is_guarded_from_its_entry(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    worker = host.start_worker(func, SOON, "scope", journal=journal, server=server)
    deadline = worker.wait_for("entered")["deadline"]
    died = worker.wait_dead(deadline - time.monotonic() + MAX_INTERVAL + allowance.signal)
    assert died >= deadline, f"reaped {deadline - died:.3f} s too early"
    assert worker.exit_status() == -backend.reap_signal

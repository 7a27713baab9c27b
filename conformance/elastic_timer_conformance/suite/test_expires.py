"""EXPIRES: configure, and blocks guarded by expires."""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.patience import TooSlowError, with_time_enough
from elastic_timer_conformance.harness.processes import Host
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import WorkerContext, func, hang

Configure = Callable[[Any], None]

# Seconds: between two looks of a server at its timers; for a timer that expires while the test
# looks on; and for one that is not to.
MAX_INTERVAL = 0.1
SOON = 0.3
NEVER = 3600.0


def check_refused(expires: Any) -> None:
    """Assert that a block that has no client is refused, and not run."""
    ran = False
    raised: Exception | None = None
    try:
        with expires(after=1, scope="scope"):
            ran = True
    except Exception as error:
        raised = error
    assert not ran, "there is no client, and the block was run all the same"
    assert isinstance(raised, RuntimeError), (
        f"there is no client, and entering the block raised {raised!r}, which is no RuntimeError"
    )


def check_guarded(client: Any) -> None:
    """Assert that a client was called for one block, and for nothing else."""
    calls = [call[:2] for call in client.calls]
    assert calls == [("acquire", "scope"), ("release", "scope")], (
        f"the block's client was to acquire 'scope' once and release it once; its calls: {calls}"
    )


@requirement("EXPIRES-CONFIGURED@ff51fa1b")
def test_no_client(expires: Any, configured: Configure) -> None:
    configured(None)
    check_refused(expires)


@requirement("EXPIRES-CONFIGURED@ff51fa1b")
def test_configured_client_is_used_until_it_is_taken_away(
    expires: Any, configured: Configure, make_client: Any
) -> None:
    first, second = make_client(), make_client()
    for client in (first, second):
        configured(client)
        with expires(after=1, scope="scope"):
            pass
        check_guarded(client)
    configured(None)
    check_refused(expires)


@requirement("EXPIRES-CONFIGURED@ff51fa1b")
def test_a_client_that_was_given_is_not_configured(
    expires: Any, configured: Configure, client: Any
) -> None:
    configured(None)
    with expires(after=60, scope="scope", client=client):
        pass
    check_refused(expires)


@requirement("EXPIRES-CLIENT@817b2d0a")
@pytest.mark.parametrize("other_configured", [True, False])
def test_client_interaction(
    expires: Any, configured: Configure, make_client: Any, client: Any, other_configured: bool
) -> None:
    other = make_client()
    configured(other if other_configured else None)
    with expires(after=1, scope="scope", client=client):
        calls = [call[:2] for call in client.calls]
        assert calls == [("acquire", "scope")], (
            f"inside the block its client was to have acquired 'scope' once; its calls: {calls}"
        )
    check_guarded(client)
    assert other.calls == [], f"a client that was not given was called too: {other.calls}"


class PlainClient:
    """Derived from nothing: what makes it a client is that it can acquire and release."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        self.calls.append(f"acquire {scope_id}")

    def release(self, scope_id: str) -> None:
        self.calls.append(f"release {scope_id}")


@requirement("EXPIRES-CLIENT@817b2d0a")
def test_a_client_is_what_can_acquire_and_release(expires: Any) -> None:
    plain = PlainClient()
    with expires(after=1, scope="scope", client=plain):
        assert plain.calls == ["acquire scope"]
    assert plain.calls == ["acquire scope", "release scope"]


@requirement("EXPIRES-DEADLINE@a7df9eaf")
@pytest.mark.parametrize("after", [0, 0.0, 0.25, 60, 1e6])
def test_expiration_time_is_entry_plus_after(expires: Any, client: Any, after: float) -> None:
    before = time.time()
    with expires(after=after, scope="scope", client=client):
        within = time.time()
    [(_, expiration_time)] = client.acquired
    assert before + after <= expiration_time <= within + after, (
        f"a block of {after} s was entered within {within - before:.6f} s, and its timer expires "
        f"{expiration_time - before:.6f} s after that began"
    )


@requirement("EXPIRES-DEADLINE@a7df9eaf")
def test_time_counts_from_entry_not_from_creation(expires: Any, client: Any) -> None:
    manager = expires(after=60, scope="scope", client=client)
    # Time has to pass between the two; more than the clock's resolution is enough.
    time.sleep(0.02)
    before = time.time()
    with manager:
        pass
    [(_, expiration_time)] = client.acquired
    assert expiration_time >= before + 60, (
        f"the timer of 60 s expires {expiration_time - before:.6f} s after the block was entered: "
        "it counts from an earlier moment"
    )


class CustomBaseError(BaseException):
    """What no handler of the standard library's knows."""


@requirement("EXPIRES-EXCEPTION@54169dd3")
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
    assert client.armed == {}, (
        f"{error!r} has left the block, and its timer is armed: {client.calls}"
    )


@requirement("EXPIRES-DECORATOR@db302fdd")
def test_guards_each_call_of_a_decorated_function(expires: Any, client: Any) -> None:
    def add_(left: int, right: int = 0) -> int:
        """Add two numbers."""
        assert "scope" in client.armed
        return left + right

    add = expires(after=60, scope="scope", client=client)(add_)
    assert (add.__name__, add.__doc__) == ("add_", "Add two numbers."), (
        f"the decorated function has lost its name or its docstring: {add.__name__}, {add.__doc__}"
    )
    assert client.calls == [], f"not called yet, and its client was: {client.calls}"
    assert add(1, right=2) == 3, "the return value is lost"
    assert client.armed == {}, f"the function has returned, and its timer is armed: {client.calls}"
    time.sleep(0.02)  # see test_time_counts_from_entry_not_from_creation
    before = time.time()
    assert add(3, 4) == 7, "the return value is lost"
    assert client.acquired[1][1] >= before + 60, (
        "the second call's timer counts from before the call"
    )
    assert client.armed == {}, f"the function has returned, and its timer is armed: {client.calls}"


@requirement("EXPIRES-DECORATOR@db302fdd")
@pytest.mark.parametrize("function", [len, partial(len)], ids=["builtin", "partial"])
def test_guards_what_is_called_like_a_function(
    expires: Any, client: Any, function: Callable[[str], int]
) -> None:
    guarded = expires(after=60, scope="scope", client=client)(function)
    assert guarded("four") == 4, "the return value is lost"
    assert [name for name, *_ in client.calls] == ["acquire", "release"]


@requirement("EXPIRES-EXCEPTION@54169dd3")
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


@requirement("EXPIRES-DEADLINE@a7df9eaf")
def test_block_is_guarded_from_its_entry(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    worker = host.start_worker(func, SOON, "scope", journal=journal, server=server)
    deadline = worker.wait_for("entered")["deadline"]
    died = worker.wait_dead(deadline - time.monotonic() + MAX_INTERVAL + allowance.signal)
    assert died >= deadline, f"reaped {deadline - died:.3f} s too early"
    assert worker.exit_status() == -backend.reap_signal

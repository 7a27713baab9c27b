"""CLIENT: workers that hang at once, that fork, that have threads, and whose server is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend, Capability
from elastic_timer_conformance.harness.death import Death
from elastic_timer_conformance.harness.journal import LOOK_AGAIN, Journal
from elastic_timer_conformance.harness.patience import TooSlowError, with_time_enough
from elastic_timer_conformance.harness.processes import Host
from elastic_timer_conformance.harness.reaping import MAX_INTERVAL, SOON, wait_reaped
from elastic_timer_conformance.harness.recording import RecordingClient
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import WorkerContext, follow, hang
from elastic_timer_conformance.workers.hanging import WAYS_TO_HANG, hang_after_release, hang_at_once

Measure = Callable[[str, float], None]

# Seconds: a timer that does not expire while a test lasts.
NEVER = 3600.0

# Seconds since the epoch: likewise.
LATER = 4102444800.0


@requirement("CLIENT-ARMED@ee41a1b0")
@pytest.mark.parametrize("way", WAYS_TO_HANG)
def test_worker_that_hangs_at_once_is_reaped(
    host: Host, journal: Journal, backend: Backend, way: str
) -> None:
    server = host.start_server(MAX_INTERVAL)
    worker = host.start_worker(hang_at_once, way, SOON, journal=journal, server=server)
    wait_reaped(worker, "acquiring", backend)


@requirement("WATCHDOG-NO-FALSE-REAP@68b7469d")
def test_release_counts_though_the_worker_hangs_at_once(host: Host, journal: Journal) -> None:
    server = host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(after: float) -> None:
        gates = str(after)
        worker = host.start_worker(hang_after_release, after, gates, journal=journal, server=server)
        deadline = worker.wait_for("acquire")["deadline"]

        def wait_in_time(condition: Callable[[], bool]) -> None:
            while not condition():
                if time.monotonic() >= deadline:
                    raise TooSlowError
                time.sleep(LOOK_AGAIN)

        wait_in_time(lambda: any(worker.pid == found for found, _, _ in server.timers()))
        journal.open_gate(f"release {gates}")
        wait_in_time(lambda: os.path.exists(f"{journal.path}.released {gates}"))
        server.pass_by(deadline, journal)
        assert worker.is_alive, "reaped for a timer that it had released in time"


FORKS = ("os.fork", "multiprocessing")


@requirement("CLIENT-FORK@f1dd1f0c")
@pytest.mark.parametrize("fork", FORKS)
def test_forked_child_is_reaped_for_its_own_timer(
    host: Host, journal: Journal, allowance: Allowance, fork: str
) -> None:
    server = host.start_server(MAX_INTERVAL)
    steps = (("acquire", "scope", SOON), ("hang",))
    parent = host.start_worker(fork_and_hang, fork, NEVER, *steps, journal=journal, server=server)
    child = Death(parent.wait_for("forked")["child"])
    journal.open_gate("fork")
    deadline = journal.wait_for("acquire", allowance.signal, pid=child.pid)["deadline"]
    assert child.wait(max(deadline - time.monotonic(), 0) + MAX_INTERVAL + allowance.signal), (
        f"a child made by {fork} hangs under a timer of its own, and is alive "
        f"{time.monotonic() - deadline:.1f} s after its deadline"
    )
    assert child.at is not None
    assert child.at >= deadline, "the child was reaped before its own deadline"
    # Both have used the same scope.
    server.pass_by(deadline, journal)
    assert parent.is_alive, "the parent was reaped for the timer of its child"


@requirement("CLIENT-FORK@f1dd1f0c")
@pytest.mark.parametrize("fork", FORKS)
def test_forked_child_does_not_release_its_parent_s_timer(
    host: Host, journal: Journal, backend: Backend, fork: str
) -> None:
    server = host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(after: float) -> None:
        journal_of_this = Journal(f"{journal.path}.{after}")
        parent = host.start_worker(
            fork_and_hang,
            fork,
            after,
            ("release", "scope"),
            ("hang",),
            journal=journal_of_this,
            server=server,
        )
        child = parent.wait_for("forked")["child"]
        journal_of_this.open_gate("fork")
        released = journal_of_this.wait_for("release", host.allowance.signal, pid=child)
        if released["at"] >= parent.wait_for("armed")["deadline"]:
            raise TooSlowError
        wait_reaped(parent, "armed", backend)


@requirement("CLIENT-FORK@f1dd1f0c")
@pytest.mark.parametrize("fork", FORKS)
def test_parent_s_timers_do_not_apply_to_its_child(
    host: Host, journal: Journal, backend: Backend, fork: str
) -> None:
    server = host.start_server(MAX_INTERVAL)
    parent = host.start_worker(fork_and_hang, fork, SOON, ("hang",), journal=journal, server=server)
    child = Death(parent.wait_for("forked")["child"])
    journal.open_gate("fork")
    wait_reaped(parent, "armed", backend)
    server.pass_by(time.monotonic(), journal)
    assert child.at is None, "the child was reaped for the timer of its parent"


THREADS = 8
ROUNDS = 100


# They send faster than the server reads.
@requirement("CLIENT-THREADS@a440776c", "QUEUE-BACKPRESSURE@7b5bc76a")
def test_many_threads_use_one_client(host: Host, journal: Journal, allowance: Allowance) -> None:
    server = host.open_server()
    worker = host.start_worker(acquire_in_threads, journal=journal, server=server)
    end = time.monotonic() + allowance.startup
    while not journal.entries("done", worker.pid):
        assert time.monotonic() < end, "the threads do not come to an end"
        server.run_watchdog()
    timers = server.watch_until(lambda timers: (worker.pid, "last", LATER) in timers)
    found = {scope: at for _, scope, at in timers if scope != "last"}
    # What each thread did last to its scopes.
    wanted = {f"{thread} kept": LATER + ROUNDS - 1 for thread in range(THREADS)}
    assert found == wanted


@requirement("CLIENT-UNAVAILABLE@39c24e5f")
@pytest.mark.parametrize("start_method", ["forkserver", "fork"])
def test_a_dead_server_is_told_of(
    borrow_host: Callable[[str], Host],
    journal: Journal,
    backend: Backend,
    allowance: Allowance,
    measured: Measure,
    start_method: str,
) -> None:
    host = borrow_host(start_method)
    server = host.start_server(MAX_INTERVAL)
    workers = []
    for _ in range(2):
        # One after the other: the second may inherit what the server has opened for the first.
        worker = host.start_worker(acquire_after_the_end, journal=journal, server=server)
        worker.wait_for("acquired")
        workers.append(worker)
    host.signal(signal.SIGKILL)
    assert host.death.wait(allowance.signal)
    journal.open_gate("dead")
    documented = backend.when_unavailable
    # An implementation may import what it needs to say what is wrong; PyTorch does, for seconds.
    patience = allowance.startup + (documented.within if documented else 0)
    for worker in workers:
        seen = worker.wait_for("came back", patience)
        if Capability.DURABLE in backend.capabilities:
            # Whether the timer is armed then is for DURABLE-SERVER-CRASH.
            assert not seen["kinds"], (
                f"acquire raised {seen['kinds'][0]} ({seen['text']}), though the timer could wait "
                "for the server's replacement"
            )
        else:
            check_told(seen, backend)
            measured("no server, told after", seen["took"])
        assert worker.is_alive


@requirement("CLIENT-UNAVAILABLE@39c24e5f")
def test_a_place_that_no_server_has_served_is_told_of(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance, measured: Measure
) -> None:
    place = backend.new_place()
    worker = host.start_worker(acquire_once, journal=journal, place=place)
    worker.wait_for("ready")
    documented = backend.when_unavailable
    patience = allowance.signal + (documented.within if documented else 0)
    seen = worker.wait_for("came back", patience)
    check_told(seen, backend)
    measured("no server, told after", seen["took"])
    assert worker.is_alive
    backend.remove_place(place)


def check_told(seen: dict[str, Any], backend: Backend) -> None:
    """Assert that an acquire without a server has raised what the backend documents."""
    documented = backend.when_unavailable
    assert seen["kinds"], "acquire returned as if the timer were armed; there is no server"
    assert documented is not None, (
        f"acquire raised {seen['kinds'][0]} ({seen['text']}); the backend documents nothing"
    )
    kind = f"{documented.error.__module__}.{documented.error.__qualname__}"
    assert kind in seen["kinds"], f"acquire raised {seen['kinds'][0]} ({seen['text']})"


class BlockError(Exception):
    """Raised by the user's block."""


@requirement("CLIENT-RELEASE-QUIET@63bb9555")
@pytest.mark.parametrize("raised", [BlockError("in the block"), KeyboardInterrupt()])
def test_failing_release_does_not_hide_the_block_s_exception(
    expires: Any, client: RecordingClient, raised: BaseException
) -> None:
    client.fail = {"release"}

    def guarded() -> None:
        with expires(after=60, scope="scope", client=client):
            raise raised

    caught = raised_by(guarded)
    assert ("release", "scope") in client.calls
    assert caught is raised, f"{caught!r} took the place of {raised!r}"


@requirement("CLIENT-RELEASE-QUIET@63bb9555")
def test_failing_release_of_an_inner_block_does_not_hide_its_exception(
    expires: Any, client: RecordingClient
) -> None:
    raised = BlockError("in the inner block")

    def guarded() -> None:
        with (
            expires(after=60, scope="scope", client=client),
            expires(after=60, scope="scope", client=client),
        ):
            # From here on, whatever is sent at the end of a block fails.
            client.fail = {"acquire", "release"}
            raise raised

    caught = raised_by(guarded)
    assert caught is raised, f"{caught!r} took the place of {raised!r}"


def raised_by(function: Callable[[], None]) -> BaseException | None:
    try:
        function()
    except BaseException as error:
        return error
    return None


# In workers --------------------------------------------------------------------------------------


def fork_and_hang(worker: WorkerContext, fork: str, after: float, *steps: Any) -> None:
    """Fork, hold a timer of `after` seconds, and hang; the child follows the steps.

    The child does so after the gate `fork`. Writes `armed`, with the parent's deadline, and
    `forked`, with the child's number.
    """

    def be_the_child() -> None:
        worker.journal.wait_at_gate("fork")
        follow(worker, *steps)

    # The client has been used before there is a child.
    worker.client.acquire("before", LATER)
    worker.client.release("before")
    if fork == "multiprocessing":
        process = multiprocessing.get_context("fork").Process(target=be_the_child)
        process.start()
        child = process.pid
    else:
        child = os.fork()
        if child == 0:
            be_the_child()
    deadline = time.monotonic() + after
    worker.client.acquire("scope", time.time() + after)
    worker.journal.write("armed", deadline=deadline)
    worker.journal.write("forked", child=child)
    hang()


def acquire_in_threads(worker: WorkerContext) -> None:
    """Acquire and release in many threads; then, in the main thread, acquire `last`.

    Writes `done`.
    """
    # Switch as often as the interpreter can.
    sys.setswitchinterval(1e-6)
    start = threading.Barrier(THREADS)

    def use(thread: int) -> None:
        start.wait()
        for number in range(ROUNDS):
            worker.client.acquire(f"{thread} {number}", LATER)
            worker.client.acquire(f"{thread} kept", LATER + number)
            worker.client.acquire("of all", LATER + number)
            worker.client.release(f"{thread} {number}")
        worker.client.release("of all")

    threads = [threading.Thread(target=use, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    worker.client.release("of all")
    worker.client.acquire("last", LATER)
    worker.journal.write("done")
    hang()


def acquire_after_the_end(worker: WorkerContext) -> None:
    """Acquire; after the gate `dead`, when the server is, try to acquire again.

    Writes `acquired`, and what `try_to_acquire` does.
    """
    worker.client.acquire("scope", LATER)
    worker.journal.write("acquired")
    worker.journal.wait_at_gate("dead")
    try_to_acquire(worker)


def acquire_once(worker: WorkerContext) -> None:
    """Try to acquire with a client that was never used. Writes `ready` before."""
    worker.journal.write("ready")
    try_to_acquire(worker)


def try_to_acquire(worker: WorkerContext) -> None:
    """Acquire, and hang.

    Writes `came back`: the kinds of the error, or none, its text, and the seconds that it took.
    """
    error: Exception | None = None
    before = time.monotonic()
    try:
        worker.client.acquire("scope", LATER)
    except Exception as caught:
        error = caught
    took = time.monotonic() - before
    kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
    worker.journal.write("came back", kinds=kinds if error else [], text=str(error), took=took)
    hang()

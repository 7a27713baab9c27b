"""SERVER, robust profile: starting and stopping in any order, and what it must not do to whom."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.faults import hold_up_and_stop
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.patience import TooSlowError, with_time_enough
from elastic_timer_conformance.harness.processes import Host, HostDiedError, Server, Worker
from elastic_timer_conformance.harness.watched import WatchedServer
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import follow, func

# Seconds: between two looks of a server at its timers; for a timer that expires while the test
# looks on; and for one that is not to.
MAX_INTERVAL = 0.1
SOON = 0.3
NEVER = 3600.0


def check_enforces(
    server: Server, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    """Assert that a worker that hangs from now on is reaped."""
    worker = server.host.start_worker(func, SOON, journal=journal, server=server)
    check_reaped(worker, "entered", backend, allowance)


def check_reaped(worker: Worker, event: str, backend: Backend, allowance: Allowance) -> None:
    deadline = worker.wait_for(event)["deadline"]
    worker.wait_dead(deadline - time.monotonic() + MAX_INTERVAL + allowance.signal)
    assert worker.exit_status() == -backend.reap_signal


class Loops:
    """Counts the watchdogs of a server that is not started, and the threads that run them."""

    def __init__(self, server: Any, allowance: Allowance) -> None:
        self.begun = 0
        self.threads: set[threading.Thread] = set()
        self._several = threading.Event()
        self._allowance = allowance
        self._run_watchdog = server._run_watchdog
        server._run_watchdog = self._count
        self.before_each: Any = lambda: None

    def _count(self) -> None:
        self.begun += 1
        self.threads.add(threading.current_thread())
        if self.begun >= 3:
            self._several.set()
        self.before_each()
        self._run_watchdog()

    def wait_for_several(self) -> None:
        """Wait until three watchdogs have begun."""
        assert self._several.wait(self._allowance.signal), "the watchdog loop does not run"

    def must_end(self, why: str) -> None:
        """Wait until no loop runs; `why` says in the message what was done to the server."""
        for thread in list(self.threads):
            thread.join(self._allowance.signal)
            assert not thread.is_alive(), f"{why}, and a loop goes on"


@requirement("SERVER-START-IDEMPOTENT@fc84e23b")
def test_starting_twice_runs_one_loop(
    open_server: Any, backend: Backend, allowance: Allowance
) -> None:
    server = open_server().server
    loops = Loops(server, allowance)
    second_loop = threading.Event()

    def wait_for_a_second_loop() -> None:
        if len(loops.threads) > 1:
            second_loop.set()
        # The first watchdog goes on when another loop has shown itself, or had time to.
        second_loop.wait(allowance.silence if loops.begun == 1 else 0)

    loops.before_each = wait_for_a_second_loop
    server.start()
    server.start()
    loops.wait_for_several()
    backend.stop_server(server)
    assert len(loops.threads) == 1, f"{len(loops.threads)} watchdog loops run"
    loops.must_end("started twice and stopped once")


@requirement("SERVER-START-IDEMPOTENT@fc84e23b")
def test_a_server_that_was_started_twice_enforces_and_stops_at_once(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    server.restart()
    check_enforces(server, journal, backend, allowance)
    waiting = host.start_worker(
        follow,
        ("gate", "stopped"),
        ("acquire unless refused", "scope", SOON),
        ("hang",),
        journal=journal,
        server=server,
    )
    waiting.wait_for("at gate")
    server.stop()
    journal.open_gate("stopped")
    deadline = waiting.wait_for("acquire unless refused")["deadline"]
    # There is no witness of a server that has stopped: nobody is reaped by it, nor by another.
    time.sleep(max(deadline - time.monotonic(), 0) + 2 * MAX_INTERVAL + allowance.silence)
    assert waiting.is_alive, "a server that was started twice and stopped once goes on reaping"


@requirement("SERVER-START-IDEMPOTENT@fc84e23b")
def test_starting_again_leaves_the_table_alone(
    watched: Callable[..., WatchedServer], worker_ids: list[Any], backend: Backend
) -> None:
    one = watched()
    one.server.start()
    one.register(one.request(worker_ids[0], "scope", 60))
    before = one.timers()
    one.server.start()
    # Asked while it runs: a server that stops may forget what it can read again.
    try:
        one.must_have(*before, why="a server that runs was started again")
    finally:
        backend.stop_server(one.server)


@requirement("SERVER-STOP-IDEMPOTENT@4e66e3f2")
def test_stopping_before_the_start_changes_nothing(
    open_server: Any, backend: Backend, allowance: Allowance
) -> None:
    server = open_server().server
    loops = Loops(server, allowance)
    backend.stop_server(server)
    backend.stop_server(server)
    assert loops.begun == 0
    server.start()
    loops.wait_for_several()
    backend.stop_server(server)


@requirement("SERVER-STOP-IDEMPOTENT@4e66e3f2")
def test_stopping_twice_is_stopping_once(
    open_server: Any, backend: Backend, allowance: Allowance
) -> None:
    server = open_server().server
    loops = Loops(server, allowance)
    server.start()
    loops.wait_for_several()
    backend.stop_server(server)
    loops.must_end("stopped once")
    begun = loops.begun
    backend.stop_server(server)
    backend.stop_server(server)
    loops.must_end("stopped three times")
    assert loops.begun == begun, "stopping again has let a watchdog begin"


@requirement("SERVER-RESTART@59bc76e0")
@pytest.mark.parametrize("times", [1, 3])
def test_a_server_that_was_restarted_enforces_new_timers(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance, times: int
) -> None:
    server = host.start_server(MAX_INTERVAL)
    for _ in range(times):
        server.stop()
        server.restart()
    check_enforces(server, journal, backend, allowance)


@requirement("SERVER-RESTART@59bc76e0")
def test_a_server_that_was_restarted_enforces_old_timers(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    # Armed before the stop, and one whose request is not read before it. A transport that tells
    # the worker so instead has not armed it.
    steps = (
        ("acquire", "scope", NEVER),
        ("gate", "stopped"),
        ("acquire unless refused", "scope", SOON),
        ("hang",),
    )
    unread = host.start_worker(follow, *steps, journal=journal, server=server)
    unread.wait_for("at gate")

    @with_time_enough
    def check(after: float) -> None:
        read = host.start_worker(
            follow, ("acquire", "scope", after), ("hang",), journal=journal, server=server
        )
        worker_id = backend.worker_id(read.pid)
        deadline = read.wait_for("acquire")["deadline"]
        server.wait_for_timers(lambda timers: worker_id in [timer[0] for timer in timers])
        server.stop()
        if time.monotonic() >= deadline or not read.is_alive:
            server.restart()
            raise TooSlowError
        journal.open_gate("stopped")
        unread.wait_for("acquire unless refused")
        server.restart()
        check_reaped(read, "acquire", backend, allowance)

    if not unread.wait_for("acquire unless refused")["refused"]:
        unread.wait_dead(SOON + MAX_INTERVAL + allowance.signal)
        assert unread.exit_status() == -backend.reap_signal


@requirement("SERVER-STOP-NO-REAP@d928c184")
def test_stopping_reaps_nobody_whose_release_is_unread(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    # So much shorter than the timer that the server has registered it, in whatever way it reads.
    server = host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(duration: float) -> None:
        after = 2 * duration
        held_up = f"held up {after}"
        steps = (
            ("acquire", "scope", after),
            ("gate", held_up),
            ("release", "scope"),
            ("gate", "go"),
        )
        worker = host.start_worker(follow, *steps, journal=journal, server=server)
        deadline = worker.wait_for("acquire")["deadline"]
        worker_id = backend.worker_id(worker.pid)
        server.wait_for_timers(
            lambda timers: not worker.is_alive or worker_id in [timer[0] for timer in timers]
        )
        # A server that ends its own process when it reaps (see SERVER-SURVIVES) has reaped too.
        with suppress(HostDiedError):
            # Beyond the deadline by more than any clock's resolution.
            host.call(hold_up_and_stop, server.number, f"{journal.path}.{held_up}", deadline + 0.05)
        released = journal.entries("release", worker.pid)
        if not released or released[0]["at"] >= deadline:
            server.restart()
            raise TooSlowError
        journal.open_gate("go")
        worker.wait_dead(allowance.signal)
        assert worker.exit_status() == 0, (
            f"the worker released {deadline - released[0]['at']:.3f} s before its deadline, the "
            f"server was stopped after it, and the worker ended with {worker.exit_status()}"
        )


@requirement("SERVER-SURVIVES@3432f9a6")
def test_reaping_does_not_end_the_server(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    for number in ("first", "second"):
        worker = host.start_worker(func, SOON, journal=journal, server=server)
        check_reaped(worker, "entered", backend, allowance)
        # Whatever the server does to itself, it has done when it has judged timers once more.
        server.pass_by(time.monotonic(), journal)
        assert host.is_alive, f"the server's process died over reaping the {number} worker"

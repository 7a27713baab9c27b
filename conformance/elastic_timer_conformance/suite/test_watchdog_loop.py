"""WATCHDOG: the loop that runs one pass after the other, and how late it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.processes import Host
from elastic_timer_conformance.harness.watched import WatchedServer
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import func

Measure = Callable[[str, float], None]


@pytest.fixture
def run_loop(backend: Backend) -> Iterator[Callable[[WatchedServer, Callable[[], None]], None]]:
    """A function that starts a server, with something to be called before each watchdog."""
    started: list[Any] = []

    def start(one: WatchedServer, before_each: Callable[[], None]) -> None:
        run_watchdog = one.server._run_watchdog

        def watchdog() -> None:
            before_each()
            run_watchdog()

        one.server._run_watchdog = watchdog
        one.server.start()
        started.append(one.server)

    yield start
    for server in started:
        backend.stop_server(server)


@requirement("WATCHDOG-SURVIVES@44a0f5bb")
def test_loop_survives_a_failing_watchdog(
    watched: Callable[..., WatchedServer],
    run_loop: Callable[..., None],
    worker_ids: list[Any],
    allowance: Allowance,
) -> None:
    one = watched()
    failed = threading.Event()

    def fail_once() -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("the first watchdog fails")

    run_loop(one, fail_once)
    assert failed.wait(allowance.signal), "the watchdog loop does not run"
    one.put(one.request(worker_ids[0], "scope", -1))
    end = time.monotonic() + 0.01 + allowance.signal
    while not one.reaped:
        assert time.monotonic() < end, "nobody is reaped any more after a watchdog that failed"
        time.sleep(0.005)
    assert one.reaped == [worker_ids[0]]


@requirement("WATCHDOG-CALL-COUNT@68af25d2")
def test_watchdog_call_count(
    watched: Callable[..., WatchedServer],
    run_loop: Callable[..., None],
    allowance: Allowance,
    measured: Measure,
) -> None:
    interval, enough = 0.05, 10
    begun: list[float] = []
    counted = threading.Event()

    def count() -> None:
        begun.append(time.monotonic())
        if len(begun) > enough:
            counted.set()

    run_loop(watched(interval), count)
    assert counted.wait(enough * interval + allowance.signal), (
        f"{len(begun)} watchdogs in {enough * interval + allowance.signal:.1f} s, of which each "
        f"was to take {interval} s"
    )
    # From the first beginning to the last: `enough` watchdogs. A busy machine makes them fewer,
    # which the wait above bounds; nothing but a loop that spins makes them more.
    span = begun[enough] - begun[0]
    measured("length of an idle watchdog", span / enough)
    assert enough <= span / interval + 1, f"{enough} watchdogs in {span:.3f} s"


# How late ---------------------------------------------------------------------------------------


@requirement("WATCHDOG-LATENCY@7687e576")
@pytest.mark.parametrize("max_interval", [0.1, 0.5])
def test_timer(
    host: Host,
    journal: Journal,
    backend: Backend,
    allowance: Allowance,
    max_interval: float,
) -> None:
    server = host.start_server(max_interval)
    # Their timers expire at different moments of the server's interval.
    workers = [
        host.start_worker(func, 0.2 + 0.07 * number, journal=journal, server=server)
        for number in range(3)
    ]
    for worker in workers:
        deadline = worker.wait_for("entered")["deadline"]
        worker.wait_dead(deadline - time.monotonic() + max_interval + allowance.signal)
        assert worker.exit_status() == -backend.reap_signal

"""WATCHDOG: the loop that runs one pass after the other, and how late it is."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
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


# What the first watchdogs raise: a loop may be prepared for one kind of error, or for one error.
FAILURES = (RuntimeError, OSError, RuntimeError)


@requirement("WATCHDOG-SURVIVES@44a0f5bb")
def test_loop_survives_failing_watchdogs(
    watched: Callable[..., WatchedServer],
    run_loop: Callable[..., None],
    worker_ids: list[Any],
    allowance: Allowance,
) -> None:
    one = watched()
    begun: list[float] = []

    def fail_at_first() -> None:
        begun.append(time.monotonic())
        if len(begun) <= len(FAILURES):
            raise FAILURES[len(begun) - 1]("this watchdog fails")

    run_loop(one, fail_at_first)
    for number, kind in enumerate(FAILURES, 1):
        end = time.monotonic() + 0.01 + allowance.signal
        while len(begun) <= number:
            assert time.monotonic() < end, (
                f"when watchdog number {number} had raised {kind.__name__}, no other ran within "
                f"max_interval, which is 0.01 s, and the {allowance.signal} s of the allowance"
                if len(begun) == number
                else "the watchdog loop does not run"
            )
            time.sleep(0.005)
    one.put(one.request(worker_ids[0], "scope", -1))
    end = time.monotonic() + 0.01 + allowance.signal
    while not one.reaped:
        assert time.monotonic() < end, "nobody is reaped any more after watchdogs that failed"
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

    def shortest() -> float:
        return min((later - earlier for earlier, later in pairwise(begun)), default=math.inf)

    def count() -> None:
        begun.append(time.monotonic())
        # A busy machine makes watchdogs longer, but not each of them by a whole interval.
        if len(begun) > enough and shortest() < 2 * interval:
            counted.set()

    run_loop(watched(interval), count)
    patience = enough * interval + allowance.signal
    assert counted.wait(patience), (
        f"max_interval is {interval} s, and {len(begun)} watchdogs of an idle server began within "
        f"{patience:.1f} s, none less than {shortest():.3f} s after the one before"
    )
    # From the first beginning to the last: `enough` watchdogs. A busy machine makes them fewer,
    # and nothing but a loop that spins makes them more.
    span = begun[enough] - begun[0]
    measured("length of an idle watchdog", span / enough)
    assert enough <= span / interval + 1, (
        f"an idle server ran {enough} watchdogs in {span:.3f} s, into which its max_interval of "
        f"{interval} s fits {span / interval:.1f} times"
    )


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

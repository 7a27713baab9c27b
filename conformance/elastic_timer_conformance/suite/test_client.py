"""CLIENT: what acquire and release do, in the server's table and to the worker's life."""

from __future__ import annotations

import time
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.patience import TooSlowError, with_time_enough
from elastic_timer_conformance.harness.processes import Host, Worker
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import follow

# Seconds: between two looks of a server at its timers; until a hung worker's timer expires; and
# for a timer that is not to expire while a test lasts.
MAX_INTERVAL = 0.1
SOON = 0.3
NEVER = 3600.0

# Seconds since the epoch: expiration times that are not reached while a test lasts.
LATER = 4102444800.0
LATEST = 4133980800.0


def table_after(host: Host, journal: Journal, *steps: tuple[Any, ...]) -> list[tuple[str, float]]:
    """Have a worker take the steps; return its timers in the server's table, sorted.

    A last timer, taken out of the answer, shows that everything before it has arrived.
    """
    server = host.open_server()
    last = ("acquire at", "last", LATEST)
    worker = host.start_worker(follow, *steps, last, ("hang",), journal=journal, server=server)
    worker.wait_for("hang")
    timers = server.watch_until(lambda timers: (worker.pid, "last", LATEST) in timers)
    assert {worker_id for worker_id, _, _ in timers} == {worker.pid}
    return [(scope, at) for _, scope, at in timers if scope != "last"]


def reaped_at(worker: Worker, backend: Backend, allowance: Allowance, deadline: float) -> float:
    """Wait for the worker to be reaped for the timer with this deadline; return when it was."""
    died = worker.wait_dead(deadline - time.monotonic() + MAX_INTERVAL + allowance.signal)
    assert worker.exit_status() == -backend.reap_signal
    return died


@requirement("CLIENT-ACQUIRE@ff712de0")
def test_acquire_enters_a_timer(host: Host, journal: Journal) -> None:
    assert table_after(host, journal, ("acquire at", "scope", LATER)) == [("scope", LATER)]


@requirement("CLIENT-ACQUIRE@ff712de0")
def test_acquire_arms_a_timer(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    steps = (("acquire", "scope", SOON), ("hang",))
    worker = host.start_worker(follow, *steps, journal=journal, server=server)
    deadline = worker.wait_for("acquire")["deadline"]
    assert reaped_at(worker, backend, allowance, deadline) >= deadline


@requirement("CLIENT-RELEASE@c52f809e")
def test_release_removes_the_timer(host: Host, journal: Journal) -> None:
    assert table_after(host, journal, ("acquire at", "scope", LATER), ("release", "scope")) == []


@requirement("CLIENT-RELEASE@c52f809e")
def test_released_scope_can_be_acquired_again(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(after: float) -> None:
        worker = host.start_worker(
            follow,
            ("acquire", "scope", after),
            ("release", "scope"),
            ("gate", f"again after {after}"),
            ("acquire", "scope", after),
            ("hang",),
            journal=journal,
            server=server,
        )
        deadline = worker.wait_for("acquire")["deadline"]
        if worker.wait_for("release")["at"] >= deadline:
            raise TooSlowError
        time.sleep(max(deadline - time.monotonic(), 0))
        journal.open_gate(f"again after {after}")
        # Being reaped for the second timer is the sign that it was not for the first.
        deadline = worker.wait_for("acquire", count=2)["deadline"]
        died = reaped_at(worker, backend, allowance, deadline)
        assert died >= deadline, "reaped although it had released its timer in time"


@requirement("CLIENT-RELEASE-VACUOUS@65e1f387")
def test_vacuous_release_changes_no_timer(host: Host, journal: Journal) -> None:
    timers = table_after(
        host,
        journal,
        ("acquire at", "held", LATER),
        ("release", "never acquired"),
        ("acquire at", "released", LATER),
        ("release", "released"),
        ("release", "released"),
    )
    assert timers == [("held", LATER)]


@requirement("CLIENT-RELEASE-VACUOUS@65e1f387")
def test_vacuous_release_does_not_disarm(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    worker = host.start_worker(
        follow,
        ("release", "never acquired"),
        ("acquire", "held", SOON),
        ("release", "never acquired"),
        ("hang",),
        journal=journal,
        server=server,
    )
    reaped_at(worker, backend, allowance, worker.wait_for("acquire")["deadline"])


@requirement("CLIENT-REACQUIRE@42038450")
@pytest.mark.parametrize(("first", "second"), [(LATER, LATER + 1), (LATER, LATER - 1)])
def test_reacquire_replaces_the_timer(
    host: Host, journal: Journal, first: float, second: float
) -> None:
    twice = (("acquire at", "scope", first), ("acquire at", "scope", second))
    assert table_after(host, journal, *twice) == [("scope", second)]
    assert table_after(host, journal, *twice, ("release", "scope")) == []


@requirement("CLIENT-REACQUIRE@42038450")
def test_reacquire_extends_the_worker_s_life(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(after: float) -> None:
        twice = (("acquire", "scope", after), ("acquire", "scope", 2 * after))
        worker = host.start_worker(follow, *twice, ("hang",), journal=journal, server=server)
        first = worker.wait_for("acquire")
        second = worker.wait_for("acquire", count=2)
        if second["at"] >= first["deadline"]:
            raise TooSlowError
        died = reaped_at(worker, backend, allowance, second["deadline"])
        assert died >= second["deadline"], "reaped before the later expiration time"


@requirement("CLIENT-REACQUIRE@42038450")
def test_reacquire_shortens_the_worker_s_life(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    twice = (("acquire", "scope", NEVER), ("acquire", "scope", SOON))
    worker = host.start_worker(follow, *twice, ("hang",), journal=journal, server=server)
    reaped_at(worker, backend, allowance, worker.wait_for("acquire", count=2)["deadline"])


@requirement("CLIENT-SCOPES-INDEPENDENT@fa6a584d")
def test_scopes_have_timers_of_their_own(host: Host, journal: Journal) -> None:
    timers = table_after(
        host,
        journal,
        ("acquire at", "epoch", LATER),
        ("acquire at", "step", LATER + 1),
        ("acquire at", "Step", LATER + 2),
        ("acquire at", "step ", LATER + 3),
        ("release", "epoch"),
    )
    assert timers == [("Step", LATER + 2), ("step", LATER + 1), ("step ", LATER + 3)]


@requirement("CLIENT-SCOPES-INDEPENDENT@fa6a584d")
def test_releasing_one_scope_leaves_the_other_armed(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    worker = host.start_worker(
        follow,
        ("acquire", "epoch", NEVER),
        ("acquire", "step", SOON),
        ("release", "epoch"),
        ("hang",),
        journal=journal,
        server=server,
    )
    deadline = worker.wait_for("acquire", count=2)["deadline"]
    assert reaped_at(worker, backend, allowance, deadline) >= deadline


@requirement("CLIENT-WORKERS-INDEPENDENT@7fd576fa")
def test_releasing_leaves_other_workers_timers_armed(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    gate = (("gate", "leave"),)

    def start(*steps: tuple[Any, ...]) -> Worker:
        return host.start_worker(follow, *steps, journal=journal, server=server)

    first = start(("acquire", "scope", NEVER), *gate, ("release", "scope"), ("gate", "exit"))
    second = start(("acquire", "scope", SOON), ("hang",))
    first.wait_for("at gate")
    deadline = second.wait_for("acquire")["deadline"]
    journal.open_gate("leave")
    assert reaped_at(second, backend, allowance, deadline) >= deadline
    server.pass_by(deadline, journal)
    assert first.is_alive, "reaped for the timer of another worker"
    journal.open_gate("exit")
    first.wait_dead(allowance.signal)
    assert first.exit_status() == 0

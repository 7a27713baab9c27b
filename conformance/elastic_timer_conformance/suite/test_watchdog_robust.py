"""WATCHDOG, robust profile: never late by the interval, never wrong, whatever holds it up."""

from __future__ import annotations

import time
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.patience import TooSlowError, with_time_enough
from elastic_timer_conformance.harness.process_state import ASLEEP, wait_for_state
from elastic_timer_conformance.harness.processes import Host, Server, Worker
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import follow, func
from elastic_timer_conformance.workers.flood import Ledger, hammer

# Seconds. The interval that is PyTorch's default, and longer than any allowance; one that is over
# before a server is continued that was suspended for as long as a timer lasts, as it makes a
# difference to servers that read for a whole interval; and ordinary ones.
A_MINUTE = 60.0
A_QUARTER = 0.25
A_SECOND = 1.0
MAX_INTERVAL = 0.1

# Seconds: a timer that expires while the test looks on, and one that does not.
SOON = 0.3
NEVER = 3600.0


# In time ----------------------------------------------------------------------------------------


def check_prompt(worker: Worker, deadline: float, backend: Backend, allowance: Allowance) -> None:
    """Assert that a worker is reaped within the allowance after a monotonic time."""
    assert worker.death.wait(max(deadline - time.monotonic(), 0) + allowance.signal), (
        f"{allowance.signal} s after its timer has expired the worker {worker.pid} is still alive, "
        f"as if max_interval were waited for, which is {A_MINUTE:.0f} s"
    )
    status = worker.exit_status()
    assert status == -backend.reap_signal, f"the hung worker ended with status {status}"


@requirement("WATCHDOG-PROMPT@843e14e8")
@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([("acquire", "scope", SOON)], id="only timer"),
        pytest.param([("acquire", "far", NEVER), ("acquire", "scope", SOON)], id="acquired last"),
        pytest.param([("acquire", "scope", SOON), ("acquire", "far", NEVER)], id="acquired first"),
        pytest.param([("acquire", "scope", NEVER), ("acquire", "scope", SOON)], id="put forward"),
        pytest.param(
            [("acquire", "scope", SOON / 2), ("acquire", "scope", SOON)], id="put off a little"
        ),
        pytest.param(
            [("acquire", "other", SOON / 2), ("acquire", "scope", SOON), ("release", "other")],
            id="after a release",
        ),
    ],
)
def test_detection_does_not_wait_for_the_interval(
    host: Host,
    journal: Journal,
    backend: Backend,
    allowance: Allowance,
    steps: list[tuple[Any, ...]],
) -> None:
    server = host.start_server(A_MINUTE)
    worker = host.start_worker(follow, *steps, ("hang",), journal=journal, server=server)
    worker.wait_for("acquire")
    # A machine so slow that the first timer has expired before the last step is no matter: the
    # worker is late for that one then.
    check_prompt(worker, time.monotonic() + SOON, backend, allowance)
    assert worker.death.at is not None
    deadlines = [
        entry["deadline"]
        for entry in journal.entries("acquire", worker.pid)
        if entry["deadline"] <= worker.death.at
    ]
    assert deadlines, "reaped before any of its timers had expired"


@requirement("WATCHDOG-PROMPT@843e14e8")
def test_each_of_several_deadlines_is_met(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(A_MINUTE)
    # The later ones are acquired first.
    hung = [
        host.start_worker(func, SOON + 0.05 * number, journal=journal, server=server)
        for number in (3, 1, 2, 0)
    ]
    for worker in hung:
        check_prompt(worker, worker.wait_for("entered")["deadline"], backend, allowance)


# Never wrong ------------------------------------------------------------------------------------


def check_lives(worker: Worker, allowance: Allowance) -> None:
    """Assert that a worker which has passed its last gate ends by itself."""
    worker.wait_dead(allowance.signal)
    assert worker.exit_status() == 0, (
        f"the worker {worker.pid}, which released in time, ended with {worker.exit_status()}"
    )


@requirement("WATCHDOG-NO-FALSE-REAP@68b7469d")
@pytest.mark.parametrize("over", ["acquire and release", "release"])
def test_a_suspended_server_reaps_nobody_who_released_in_time(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance, over: str
) -> None:
    server = host.start_server(A_QUARTER)

    @with_time_enough
    def check(duration: float) -> None:
        # So long that a server which reads for an interval has registered it before its end.
        after = 2 * duration
        first, second = f"first {after}", f"second {after}"
        start: list[tuple[Any, ...]] = [("gate", first), ("acquire", "scope", after)]
        released, put_off = ("release", "scope"), ("acquire", "scope", NEVER)
        healthy = [
            host.start_worker(
                follow,
                *start,
                ("gate", second),
                end,
                ("gate", "go"),
                journal=journal,
                server=server,
            )
            for end in (released, put_off, released)
        ]
        for worker in healthy:
            worker.wait_for("at gate")
        if over == "release":
            journal.open_gate(first)
            wait_registered(healthy, server, backend)
        else:
            server.reach(journal)
        wait_for_state(host.pid, ASLEEP, allowance.signal)
        host.suspend()
        journal.open_gate(first)
        journal.open_gate(second)
        left = [worker.wait_for("at gate", count=3)["at"] for worker in healthy]
        deadlines = [worker.wait_for("acquire")["deadline"] for worker in healthy]
        time.sleep(max(max(deadlines) - time.monotonic(), 0))
        host.resume()
        if any(at >= deadline for at, deadline in zip(left, deadlines, strict=True)):
            raise TooSlowError
        server.pass_by(max(deadlines), journal)
        reaped = [worker.pid for worker in healthy if not worker.is_alive]
        assert not reaped, (
            f"{len(reaped)} of {len(healthy)} workers, which released in time while the server "
            "was suspended, were reaped when it went on"
        )
        journal.open_gate("go")
        for worker in healthy:
            check_lives(worker, allowance)


def wait_registered(workers: list[Worker], server: Server, backend: Backend) -> None:
    """Wait until each worker has a timer in the table. Raises TooSlowError if one is reaped."""
    worker_ids = {backend.worker_id(worker.pid) for worker in workers}
    server.wait_for_timers(
        lambda timers: (
            worker_ids <= {timer[0] for timer in timers}
            or not all(worker.is_alive for worker in workers)
        )
    )
    if not all(worker.is_alive for worker in workers):
        raise TooSlowError


# Blocks that each of the flooding workers holds while the server is suspended. What they send has
# to find room in a pipe of the kernel's usual 64 KiB: 3 workers, 2 requests of up to 150 bytes.
BURST = 60
FLOODING = 3


# Whom it has to reap is there so that the others are judged, and may not be delayed by them.
@requirement("WATCHDOG-NO-FALSE-REAP@68b7469d", "WATCHDOG-FAIR@75d1d9d9")
def test_a_flooded_server_reaps_the_hung_and_nobody_else(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(A_SECOND)

    @with_time_enough
    def check(after: float) -> None:
        name = str(after)
        flooding = [
            host.start_worker(hammer, after, BURST, name, journal=journal, server=server)
            for _ in range(FLOODING)
        ]
        steps = (("gate", f"hang {name}"), ("acquire", "scope", after), ("hang",))
        hung = host.start_worker(follow, *steps, journal=journal, server=server)
        for worker in flooding:
            worker.wait_for("ready")
        hung.wait_for("at gate")
        server.reach(journal)
        # First the server is behind by more than the timers' duration at one stroke ...
        host.suspend()
        journal.open_gate(f"burst {name}")
        last = max(worker.wait_for("burst")["deadline"] for worker in flooding)
        time.sleep(max(last - time.monotonic(), 0))
        host.resume()
        # ... and then it is flooded, at least until it has found the one that hangs.
        journal.open_gate(f"flood {name}")
        journal.open_gate(f"hang {name}")
        deadline = hung.wait_for("acquire")["deadline"]
        died = hung.wait_dead(deadline - time.monotonic() + A_SECOND + allowance.signal)
        assert hung.exit_status() == -backend.reap_signal
        assert died >= deadline, f"the hung worker was reaped {deadline - died:.3f} s too early"
        journal.open_gate(f"enough {name}")
        check_nobody_was_wronged(flooding, server, journal)
        journal.open_gate("go")
        for worker in flooding:
            check_lives(worker, allowance)


def check_nobody_was_wronged(flooding: list[Worker], server: Server, journal: Journal) -> None:
    """Assert that workers which flood, and have enough, live.

    Raises TooSlowError if one of them was late and may have been reaped for that.
    """
    end = time.monotonic() + server.host.allowance.signal
    for worker in flooding:
        # It may be reaped instead of having enough.
        while worker.is_alive and not journal.entries("enough", worker.pid):
            assert time.monotonic() < end, f"the worker {worker.pid} does not come to an end"
            worker.death.wait(0.005)
    entries = [entry for w in flooding for entry in journal.entries("enough", w.pid)]
    server.pass_by(max((entry["deadline"] for entry in entries), default=0), journal)
    dead = [worker for worker in flooding if worker.death.at is not None]
    for worker in dead:
        assert worker.death.at is not None
        if Ledger(journal, worker.pid).excuses(worker.death.at):
            raise TooSlowError
    assert not dead, (
        f"of {len(flooding)} workers, which released in time, {len(dead)} did not live: "
        f"they ended with {[worker.exit_status() for worker in dead]}"
    )


@requirement("WATCHDOG-FAIR@75d1d9d9")
def test_a_flood_does_not_hide_a_worker_that_hangs(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    flooding = [
        host.start_worker(hammer, NEVER, 0, "flood", journal=journal, server=server)
        for _ in range(2)
    ]
    journal.open_gate("burst flood")
    journal.open_gate("flood flood")
    for worker in flooding:
        worker.wait_for("burst")
    hung = host.start_worker(func, SOON, journal=journal, server=server)
    deadline = hung.wait_for("entered")["deadline"]
    hung.wait_dead(deadline - time.monotonic() + MAX_INTERVAL + allowance.signal)
    assert hung.exit_status() == -backend.reap_signal

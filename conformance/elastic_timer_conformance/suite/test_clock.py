"""CLOCK: the wall clock jumps and nothing happens; and nobody is reaped early."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.faults import step_host_clock
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.processes import Host, HostError, Worker
from elastic_timer_conformance.harness.watched import WatchedServer
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import follow

HOUR = 3600.0

# Seconds: between two looks of a server at its timers; for a timer that expires while the test
# looks on, also on a machine that takes its time to let the clock jump; and for one that does not,
# though it would if the clock that jumps by an hour were believed.
MAX_INTERVAL = 0.1
SOON = 1.0
NEVER = HOUR / 2

jumps = pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forwards", "backwards"])


@pytest.fixture
def step(host: Host, allowance: Allowance) -> Iterator[Callable[[float], None]]:
    """A function that lets the wall clock of the server's process jump, until the test ends."""
    total = 0.0

    def step_by(seconds: float) -> None:
        nonlocal total
        total += seconds
        host.call(step_host_clock, seconds)

    yield step_by
    try:
        host.call(step_host_clock, -total)
    except HostError:
        # Its clock cannot be put right, so nobody is to use it again.
        host.signal(signal.SIGKILL)
        host.death.wait(allowance.signal)


# The server's clock -----------------------------------------------------------------------------


@requirement("CLOCK-STEP@9ac9d712")
@jumps
@pytest.mark.parametrize("armed", ["before", "after"])
def test_a_jump_under_the_server_changes_no_deadline(
    watched: Callable[..., WatchedServer],
    worker_ids: list[Any],
    allowance: Allowance,
    jump: float,
    armed: str,
) -> None:
    # The queue may have to carry the request first, for which it has this interval at most.
    one = watched(allowance.signal)
    acquire = one.request(worker_ids[0], "scope", 60)
    if armed == "before":
        one.put(acquire)
        one.run_watchdog()
        one.clock.step_wall(jump)
    else:
        one.clock.step_wall(jump)
        one.put(acquire)
        one.run_watchdog()
    for seconds, reaped in ((0, []), (59, []), (2, [worker_ids[0]])):
        one.clock.advance(seconds)
        # A watchdog waits for a request, so it is given one.
        one.put(one.release(worker_ids[1], "another"))
        one.run_watchdog()
        assert one.reaped == reaped, (
            f"after a jump of {jump:+.0f} s and {seconds} s more, {one.reaped} were reaped"
        )


def check_unmoved(
    hung: Worker, healthy: Worker, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    """Assert that the hung worker dies when its timer expires, and that the healthy one lives."""
    deadline = hung.wait_for("acquire")["deadline"]
    died = hung.wait_dead(max(deadline - time.monotonic(), 0) + MAX_INTERVAL + allowance.signal)
    assert hung.exit_status() == -backend.reap_signal
    assert died >= deadline, f"the hung worker was reaped {deadline - died:.3f} s too early"
    # Both timers have been seen by the watchdog that found the hung one, or by the one before.
    assert healthy.is_alive, f"a worker with a timer of {NEVER:.0f} s was reaped at once"
    journal.open_gate("release")
    healthy.wait_dead(allowance.signal)
    status = healthy.exit_status()
    assert status == 0, f"a worker that released {NEVER:.0f} s before its end ended with {status}"


Step = tuple[Any, ...]

HEALTHY: tuple[Step, ...] = (
    ("gate", "jump"),
    ("acquire", "scope", NEVER),
    ("gate", "release"),
    ("release", "scope"),
)
HUNG: tuple[Step, ...] = (("gate", "hang"), ("acquire", "scope", SOON), ("hang",))


@requirement("CLOCK-STEP@9ac9d712")
@jumps
@pytest.mark.parametrize("armed", ["before", "after"])
def test_a_jump_of_the_servers_clock_moves_nobodys_end(
    host: Host,
    journal: Journal,
    backend: Backend,
    allowance: Allowance,
    step: Callable[[float], None],
    jump: float,
    armed: str,
) -> None:
    server = host.start_server(MAX_INTERVAL)
    healthy = host.start_worker(follow, *HEALTHY, journal=journal, server=server)
    hung = host.start_worker(follow, *HUNG, journal=journal, server=server)
    for worker in (healthy, hung):
        worker.wait_for("at gate")
    if armed == "after":
        step(jump)
    journal.open_gate("jump")
    healthy.wait_for("acquire")
    server.wait_for_timers(lambda timers: bool(timers) or not healthy.is_alive)
    journal.open_gate("hang")
    hung.wait_for("acquire")
    server.wait_for_timers(
        lambda timers: len(timers) > 1 or not (hung.is_alive and healthy.is_alive)
    )
    if armed == "before":
        step(jump)
    check_unmoved(hung, healthy, journal, backend, allowance)


# The worker's clock -----------------------------------------------------------------------------


@requirement("CLOCK-STEP@9ac9d712")
@jumps
@pytest.mark.parametrize("armed", ["before", "after"])
def test_a_jump_of_a_workers_clock_moves_nobodys_end(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance, jump: float, armed: str
) -> None:
    server = host.start_server(MAX_INTERVAL)

    def with_jump(acquire: Step, *rest: Step) -> tuple[Step, ...]:
        step = ("step clock", jump)
        return (step, acquire, *rest) if armed == "after" else (acquire, step, *rest)

    healthy = host.start_worker(follow, *with_jump(*HEALTHY[1:]), journal=journal, server=server)
    healthy.wait_for("at gate")
    # The worker jumps by itself between two steps, so there is nothing to leave time for.
    steps = (("acquire", "scope", SOON / 4), ("hang",))
    hung = host.start_worker(follow, *with_jump(*steps), journal=journal, server=server)
    check_unmoved(hung, healthy, journal, backend, allowance)


# Never early ------------------------------------------------------------------------------------

# How many workers hang, and by how much their timers differ, in seconds: enough for the deadlines
# to fall anywhere between two ticks of a clock and between two looks of the server.
EXPIRIES = 25
APART = 0.0137


@requirement("CLOCK-PRECISION@0e9b9b65")
@pytest.mark.parametrize("max_interval", [0.01, 1.0])
def test_nobody_is_reaped_early(
    host: Host,
    journal: Journal,
    backend: Backend,
    allowance: Allowance,
    max_interval: float,
) -> None:
    server = host.start_server(max_interval)
    hung = []
    for number in range(EXPIRIES):
        steps: tuple[Step, ...] = (("gate", "all"), ("acquire", "scope", 0.2 + APART * number))
        hung.append(host.start_worker(follow, *steps, ("hang",), journal=journal, server=server))
    for worker in hung:
        worker.wait_for("at gate")
    journal.open_gate("all")
    early = []
    for worker in hung:
        # Taken before the timer was acquired, so it is not later than the true one.
        deadline = worker.wait_for("acquire")["deadline"]
        end = max(deadline, time.monotonic()) + max_interval + allowance.signal
        while not worker.death.wait(0.05) and host.is_alive:
            assert time.monotonic() < end, f"the worker {worker.pid} is alive"
        if worker.death.at is None:
            # The server's process died over reaping another one: see SERVER-SURVIVES.
            continue
        assert worker.exit_status() == -backend.reap_signal
        if worker.death.at < deadline:
            early.append(deadline - worker.death.at)
    assert not all(worker.is_alive for worker in hung), "nobody was reaped at all"
    assert not early, f"{len(early)} of {EXPIRIES} were reaped early, by up to {max(early):.6f} s"


@requirement("CLOCK-PRECISION@0e9b9b65")
@pytest.mark.parametrize("after", [0.1, 60.0, 86400.0, 1e6 + 1 / 3])
def test_a_timer_has_not_expired_a_moment_before_its_time(
    watched: Callable[..., WatchedServer], worker_ids: list[Any], allowance: Allowance, after: float
) -> None:
    one = watched(allowance.signal)
    one.put(one.request(worker_ids[0], "scope", after))
    one.run_watchdog()
    # An expiration time of today, in a float, is accurate to a quarter of a microsecond, and the
    # controlled clock was taken from the real ones by two readings, one after the other.
    for moment, reaped in ((after - 0.001, []), (0.002, worker_ids[:1])):
        one.clock.advance(moment)
        one.put(one.release(worker_ids[1], "another"))
        one.run_watchdog()
        assert one.reaped == reaped, (
            f"a timer of {after} s was to have {'expired' if reaped else 'time left'}, a "
            f"millisecond {'after' if reaped else 'before'} its end, and reaped were {one.reaped}"
        )

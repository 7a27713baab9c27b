"""PROCESS, robust profile: the right process or none, in whatever state it is."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend, NotOffered
from elastic_timer_conformance.harness.death import Death
from elastic_timer_conformance.harness.debugger import DebuggerRefusedError, held_by_debugger
from elastic_timer_conformance.harness.faults import disarm, put_expired, signals_sent
from elastic_timer_conformance.harness.host import Agent
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.patience import TooSlowError, with_time_enough
from elastic_timer_conformance.harness.pid_successor import (
    PidSuccessor,
    PidTakenError,
    RefusedError,
)
from elastic_timer_conformance.harness.process_state import STOPPED, wait_for_state
from elastic_timer_conformance.harness.processes import Host, Server, Worker
from elastic_timer_conformance.harness.reaping import MAX_INTERVAL, wait_reaped
from elastic_timer_conformance.requirement import not_applicable, requirement
from elastic_timer_conformance.workers import WorkerContext, follow, hang

# Seconds: a timer that does not expire while a test lasts.
NEVER = 3600.0


@pytest.fixture
def disarmed_host(host: Host, allowance: Allowance) -> Iterator[Host]:
    """A host whose signals are recorded; it is not used again."""
    host.call(disarm)
    yield host
    host.signal(signal.SIGKILL)
    host.death.wait(allowance.signal)


def wait_for_timer(server: Server, worker: Worker, backend: Backend) -> None:
    """Wait until a worker has a timer in the server's table, or is dead."""
    worker_id = backend.worker_id(worker.pid)
    server.wait_for_timers(
        lambda timers: not worker.is_alive or worker_id in [timer[0] for timer in timers]
    )


# Workers that are not there any more ------------------------------------------------------------


def exit_inside(worker: WorkerContext, after: float, scopes: int, how: str) -> None:
    """In a worker: end in one way or another in the midst of guarded blocks."""
    for number in range(scopes):
        worker.client.acquire(f"scope {number}", time.time() + after)
    worker.journal.write("acquired", deadline=time.monotonic() + after)
    worker.journal.wait_at_gate("exit")
    if how == "raise":
        raise SystemExit(3)
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), signal.SIGKILL)


@requirement("PROCESS-EXITED@ca119c56")
@pytest.mark.parametrize("how", ["raise", "exit", "be killed"])
def test_timers_of_a_worker_that_has_exited_leave_the_table(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance, how: str
) -> None:
    server = host.start_server(MAX_INTERVAL)
    worker = host.start_worker(exit_inside, NEVER, 3, how, journal=journal, server=server)
    staying = host.start_worker(
        follow, ("acquire", "scope", NEVER), ("hang",), journal=journal, server=server
    )
    worker_id = backend.worker_id(worker.pid)
    worker.wait_for("acquired")
    server.wait_for_timers(lambda timers: [timer[0] for timer in timers].count(worker_id) == 3)
    wait_for_timer(server, staying, backend)
    journal.open_gate("exit")
    worker.wait_dead(allowance.signal)
    server.wait_for_timers(
        lambda timers: worker_id not in [timer[0] for timer in timers],
        f"the worker {worker.pid} has exited, and its timers are still in the table",
    )
    kept, timers = backend.worker_id(staying.pid), server.timers()
    assert [timer[0] for timer in timers] == [kept], (
        f"when a worker exited, the timer of another one, {kept}, had to stay; in the table is "
        f"{timers}"
    )
    assert staying.is_alive, "when a worker exited, another one was reaped"


@requirement("PROCESS-EXITED@ca119c56")
def test_nothing_is_signalled_for_a_worker_that_has_exited(
    disarmed_host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = disarmed_host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(after: float) -> None:
        worker = disarmed_host.start_worker(
            exit_inside, after, 1, "exit", journal=journal, server=server
        )
        deadline = worker.wait_for("acquired")["deadline"]
        wait_for_timer(server, worker, backend)
        journal.open_gate("exit")
        if worker.wait_dead(allowance.signal) >= deadline:
            raise TooSlowError
        assert worker.exit_status() == 3
        server.pass_by(deadline, journal)
        sent = disarmed_host.call(signals_sent)
        assert worker.pid not in [target for target, _ in sent], (
            f"the worker {worker.pid} had exited, and signals were sent to {sent}"
        )


@requirement("PROCESS-PID-REUSE@0b9b652a")
@pytest.mark.parametrize("suspended", [False, True], ids=["known", "unread"])
def test_a_process_with_a_dead_workers_id_is_left_alone(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance, suspended: bool
) -> None:
    server = host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(after: float) -> None:
        gate = f"acquire {after}"
        timers = (("acquire", "scope", after), ("acquire", "far", NEVER))
        worker = host.start_worker(
            follow, ("gate", gate), *timers, ("hang",), journal=journal, server=server
        )
        worker.wait_for("at gate")
        if suspended:
            # All that the server ever sees of the worker is what it reads afterwards.
            server.reach(journal)
            host.suspend()
        journal.open_gate(gate)
        worker.wait_for("acquire", count=2)
        deadline = worker.wait_for("acquire")["deadline"]
        if not suspended:
            wait_for_timer(server, worker, backend)
        worker.signal(signal.SIGKILL)
        died = worker.wait_dead(allowance.signal)
        if died >= deadline:
            host.resume()
            raise TooSlowError
        # The number is free when the worker has been waited for by its parent.
        successor = succeed(worker, host, died, allowance)
        try:
            host.resume()
            server.pass_by(max(deadline, time.monotonic()), journal)
            assert successor.death.at is None, (
                f"an innocent process that was given the id {worker.pid}, of a worker that had "
                "died before its timer expired, was killed"
            )
        finally:
            successor.close()


@requirement("PROCESS-PID-REUSE@0b9b652a")
def test_a_process_that_gets_the_id_between_judgement_and_signal_is_left_alone(
    host: Host, allowance: Allowance
) -> None:
    @with_time_enough
    def check(after: float) -> None:
        number = host.open_server(reaps=None).number
        killed = host.call(reap_a_successor, number, allowance.silence)
        if killed is None:
            raise TooSlowError
        assert not killed, (
            "an innocent process that was given the id of a worker after its timer had been judged "
            "was killed"
        )


def reap_a_successor(agent: Agent, number: int, silence: float) -> bool | None:
    """In the host: judge a worker, give its id away, and reap it; return whether that killed.

    None if somebody else got the id first.
    """
    server = agent.servers[number]
    with subprocess.Popen(["sleep", "infinity"]) as worker:
        worker_id = agent.backend.worker_id(worker.pid)
        server.register_timers([agent.backend.request(worker_id, "scope", 1.0)])
        [judged] = server.get_expired_timers(time.time())
        worker.kill()
    time.sleep(TWO_TICKS)
    try:
        successor = PidSuccessor(worker.pid)
    except PidTakenError:
        return None
    except RefusedError as error:
        raise NotOffered(f"the kernel does not let the suite choose an id: {error}") from None
    try:
        server._reap_worker(judged)
        return successor.death.wait(silence)
    finally:
        successor.close()


# A process is known by its start time too, in ticks of the kernel's of 10 ms. Nobody gets through
# all process ids in so little time, except a test that asks for one.
TWO_TICKS = 0.02


def succeed(worker: Worker, host: Host, died: float, allowance: Allowance) -> PidSuccessor:
    """Return a process that has been given a dead worker's number.

    Raises TooSlowError if somebody else got it first.
    """
    if host.start_method != "forkserver":
        # It is the host's own child, for which a suspended host cannot wait.
        host.resume()
        worker.exit_status()
    end = time.monotonic() + allowance.signal
    while os.path.exists(f"/proc/{worker.pid}"):
        assert time.monotonic() < end, f"nobody has waited for the dead worker {worker.pid}"
        time.sleep(0.001)
    time.sleep(max(died + TWO_TICKS - time.monotonic(), 0))
    try:
        return PidSuccessor(worker.pid)
    except PidTakenError:
        host.resume()
        raise TooSlowError from None
    except RefusedError as error:
        host.resume()
        not_applicable(f"the kernel does not let the suite choose a process's id: {error}")


# Workers in odd states --------------------------------------------------------------------------


@requirement("PROCESS-STOPPED@f801b0f4")
def test_a_stopped_worker_is_reaped(host: Host, journal: Journal, backend: Backend) -> None:
    server = host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(after: float) -> None:
        worker = host.start_worker(
            follow, ("acquire", "scope", after), ("hang",), journal=journal, server=server
        )
        deadline = worker.wait_for("acquire")["deadline"]
        # Whether a request survives its sender's being stopped is not what is asked here.
        wait_for_timer(server, worker, backend)
        worker.signal(signal.SIGSTOP)
        wait_stopped(worker, deadline)
        wait_reaped(worker, "acquire", backend)


@requirement("PROCESS-STOPPED@f801b0f4")
def test_a_worker_that_is_being_debugged_is_reaped(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(after: float) -> None:
        worker = host.start_worker(
            follow, ("acquire", "scope", after), ("hang",), journal=journal, server=server
        )
        deadline = worker.wait_for("acquire")["deadline"]
        wait_for_timer(server, worker, backend)
        try:
            with held_by_debugger(worker.pid):
                left = deadline - time.monotonic()
                if left > 0:
                    worker.death.wait(left + MAX_INTERVAL + allowance.signal)
        except DebuggerRefusedError as error:
            # Nor does it let anybody debug one that has been killed.
            if time.monotonic() >= deadline:
                raise TooSlowError from None
            not_applicable(f"the kernel does not let the suite debug a worker: {error}")
        if left <= 0:
            raise TooSlowError
        wait_reaped(worker, "acquire", backend)


def wait_stopped(worker: Worker, deadline: float) -> None:
    """Wait until a worker is stopped. Raises TooSlowError if that is not before its deadline."""
    try:
        wait_for_state(worker.pid, STOPPED, deadline - time.monotonic())
    except AssertionError:
        raise TooSlowError from None


@requirement("PROCESS-NEVER-BROADCAST@50624fcb")
def test_no_worker_id_makes_the_server_signal_everybody(
    disarmed_host: Host,
    journal: Journal,
    backend: Backend,
    pids: list[int],
    start_group: Callable[[], list[Death]],
) -> None:
    host = disarmed_host
    server = host.open_server(reaps=None)
    beside_the_server = host.start_worker(hang_with, journal=journal)
    beside_the_server.wait_for("hangs")
    bystanders = {pid: Death(pid) for pid in (*pids, host.pid, beside_the_server.pid)}
    # It leads its group, so its group is host.pid too.
    forbidden = [0, 1, -1, host.pid, -host.pid]
    # Each of them alone, then all in one watchdog; a group of which the server may dispose goes
    # last, and its end shows that all before it have been dealt with.
    for ids in (*([number] for number in forbidden), forbidden):
        group = start_group()
        host.call(put_expired, server.number, [*ids, -group[0].pid])
        server.watch_until(
            lambda _, group=group: all(member.wait(0.005) for member in group),  # type: ignore[misc]
            f"the process group {group[0].pid}, which a worker id names, is alive, or one of it",
        )
        sent = host.call(signals_sent)
        aimed = sorted({target for target, _ in sent} & set(forbidden))
        assert not aimed, (
            f"a signal was sent to {aimed}, in the terms of kill(2), for the worker ids {ids}; "
            f"the server's process and group are {host.pid}"
        )
    server.run_watchdog()
    assert server.timers() == [], "timers of ids that are never signalled stay in the table"
    dead = [pid for pid, death in bystanders.items() if death.at is not None]
    assert not dead, f"the processes {dead} are dead"


def hang_with(worker: WorkerContext) -> None:
    """In a worker: be in the server's process group, and do nothing."""
    worker.journal.write("hangs")
    hang()


@pytest.fixture
def start_group() -> Iterator[Callable[[], list[Death]]]:
    """A function that starts two processes in a group of their own; the first one leads it."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> list[Death]:
        leader = subprocess.Popen(["sleep", "infinity"], process_group=0)
        other = subprocess.Popen(["sleep", "infinity"], process_group=leader.pid)
        started.extend((leader, other))
        return [Death(leader.pid), Death(other.pid)]

    yield start
    for process in started:
        process.kill()
        process.wait()

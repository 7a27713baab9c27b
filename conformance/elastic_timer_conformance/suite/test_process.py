"""PROCESS: real workers, really reaped, and the others left alone."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import START_METHODS, Backend, IdleServer
from elastic_timer_conformance.harness.host import Agent
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.patience import TooSlowError, with_time_enough
from elastic_timer_conformance.harness.processes import Host, HostDiedError, Server, Worker
from elastic_timer_conformance.harness.reaping import MAX_INTERVAL, SOON, wait_reaped
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import WorkerContext, follow, func, func2, hang


def wait_spared(workers: list[Worker], server: Server, allowance: Allowance) -> None:
    """Wait for workers in `func2` to outlive their deadlines and to end by themselves.

    Raises TooSlowError if one of them did not leave its block in time.
    """
    left = [worker.wait_for("left") for worker in workers]
    if not all(entry["in_time"] for entry in left):
        raise TooSlowError
    journal = workers[0].journal
    server.pass_by(max(entry["deadline"] for entry in left), journal)
    assert all(worker.is_alive for worker in workers), "a healthy worker was reaped"
    journal.open_gate("go")
    for worker in workers:
        worker.wait_dead(allowance.signal)
        assert worker.exit_status() == 0, (
            f"a healthy worker, which came to its own end, ended with status {worker.exit_status()}"
        )


@requirement("PROCESS-REAPS-HUNG@b762ff48")
def test_hung_worker_is_reaped(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    hung = host.start_worker(func, SOON, journal=journal, server=server)
    wait_reaped(hung, "entered", backend)


@requirement("PROCESS-REAPS-HUNG@b762ff48")
@pytest.mark.parametrize("how", ["ignores", "handles"])
def test_hung_worker_that_does_not_end_upon_other_signals_is_reaped(
    host: Host, journal: Journal, backend: Backend, how: str
) -> None:
    server = host.start_server(MAX_INTERVAL)
    hung = host.start_worker(
        hang_in_spite_of_signals,
        SOON,
        how == "handles",
        int(backend.reap_signal),
        journal=journal,
        server=server,
    )
    wait_reaped(hung, "entered", backend)


@requirement("PROCESS-REAPS-HUNG@b762ff48")
def test_reaping_ends_the_process(host: Host, backend: Backend, allowance: Allowance) -> None:
    with subprocess.Popen(["sleep", "infinity"]) as process:
        try:
            reaped = host.call(reap, host.open_server(reaps=None).number, process.pid)
            status = process.wait(allowance.signal)
        finally:
            process.kill()
    assert reaped is True, f"reaping a process that lives returned {reaped}"
    assert status == -backend.reap_signal


def reap(agent: Agent, server: int, pid: int) -> Any:
    """In the host: have a server reap a process that it has not heard of; return its answer."""
    return agent.servers[server]._reap_worker(agent.backend.worker_id(pid))


@requirement("PROCESS-REAPS-HUNG@b762ff48")
@pytest.mark.parametrize("since", ["the worker was armed", "before"])
def test_a_server_that_is_short_of_descriptors_reaps_in_the_end(
    host: Host, journal: Journal, backend: Backend, since: str
) -> None:
    server = host.start_server(MAX_INTERVAL)
    steps = (("gate", "go"), ("acquire", "scope", SOON), ("hang",))
    hung = host.start_worker(follow, *steps, journal=journal, server=server)
    hung.wait_for("at gate")
    if since != "before":
        journal.open_gate("go")
        hung.wait_for("acquire")
    limit = host.call(allow_no_descriptors)
    try:
        journal.open_gate("go")
        deadline = hung.wait_for("acquire")["deadline"]
        # Time for several watchdogs to find that they cannot open anything.
        time.sleep(max(deadline - time.monotonic(), 0) + 3 * MAX_INTERVAL)
    finally:
        # A server that ends its own process when it reaps (see SERVER-SURVIVES) has reaped too.
        with suppress(HostDiedError):
            host.call(allow_descriptors, limit)
    wait_reaped(hung, "acquire", backend)


def allow_no_descriptors(agent: Agent) -> int:
    """In the host: let nothing be opened any more; return what the limit was."""
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, most))
    return limit


def allow_descriptors(agent: Agent, limit: int) -> None:
    """In the host: take that back."""
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )


@requirement("PROCESS-SPARES-HEALTHY@7f4627e4")
def test_happy_path(host: Host, journal: Journal, allowance: Allowance) -> None:
    server = host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(after: float) -> None:
        healthy = host.start_worker(func2, after, None, 20, journal=journal, server=server)
        wait_spared([healthy], server, allowance)


@requirement("PROCESS-ONLY-HUNG@4920b427")
def test_only_the_hung_worker_is_reaped(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(after: float) -> None:
        healthy = [
            host.start_worker(func2, after, "scope", journal=journal, server=server)
            for _ in range(3)
        ]
        # In a block like the hung one's, with time left.
        waiting = host.start_worker(func, 3600.0, "scope", journal=journal, server=server)
        hung = host.start_worker(func, after, "scope", journal=journal, server=server)
        waiting.wait_for("entered")
        wait_reaped(hung, "entered", backend)
        wait_spared(healthy, server, allowance)
        assert waiting.is_alive, "a worker with time left was reaped"


@requirement("PROCESS-START-METHODS@20833d74")
@pytest.mark.parametrize("start_method", START_METHODS)
def test_workers_of_each_start_method_are_guarded(
    borrow_host: Callable[[str], Host],
    journal: Journal,
    backend: Backend,
    allowance: Allowance,
    start_method: str,
) -> None:
    assert start_method in backend.start_methods, (
        f"the backend says that it does not support workers started by {start_method}"
    )
    host = borrow_host(start_method)
    server = host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(after: float) -> None:
        healthy = host.start_worker(func2, after, journal=journal, server=server)
        hung = host.start_worker(func, SOON, journal=journal, server=server)
        wait_reaped(hung, "entered", backend)
        wait_spared([healthy], server, allowance)


@requirement("PROCESS-GONE@e6ec4221")
def test_reaping_a_worker_that_is_gone_succeeds(
    open_server: Callable[..., IdleServer], backend: Backend
) -> None:
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    process.wait()
    server = open_server().server
    try:
        reaped = server._reap_worker(backend.worker_id(process.pid))
    except Exception as error:
        pytest.fail(f"reaping a process that is gone raised {error!r}")
    assert reaped is True, f"reaping a process that is gone returned {reaped}"


@requirement("PROCESS-SIGNAL@0cef192a")
def test_the_chosen_signal_is_sent(host: Host, journal: Journal, allowance: Allowance) -> None:
    server = Server(host, host.call(start_with_signal, MAX_INTERVAL, signal.SIGUSR1))
    worker = host.start_worker(exit_upon, signal.SIGUSR1, SOON, journal=journal, server=server)
    deadline = worker.wait_for("entered")["deadline"]
    worker.wait_dead(deadline - time.monotonic() + MAX_INTERVAL + allowance.signal)
    assert worker.exit_status() == EXITED_UPON_SIGNAL, (
        f"a worker exits with {EXITED_UPON_SIGNAL} upon the signal that was chosen, "
        f"{signal.SIGUSR1}, and ended with status {worker.exit_status()}"
    )


@requirement("PROCESS-SIGNAL@0cef192a")
def test_no_signal_is_sent_if_none_is_chosen(
    host: Host, journal: Journal, allowance: Allowance
) -> None:
    server = Server(host, host.call(start_with_signal, MAX_INTERVAL, 0))
    worker = host.start_worker(func, SOON, journal=journal, server=server)
    deadline = worker.wait_for("entered")["deadline"]
    # There is nothing to wait for: a server that only observes reaps no witness either.
    time.sleep(max(deadline - time.monotonic(), 0) + 2 * MAX_INTERVAL + allowance.silence)
    assert worker.is_alive, "reaped although no signal was to be sent"


# An exit status that nothing else gives.
EXITED_UPON_SIGNAL = 77


def start_with_signal(agent: Agent, max_interval: float, number: int) -> int:
    """In the host: start a server whose timers send this signal."""
    return agent.keep_server(agent.backend.start_server_with_signal(max_interval, number))


def hang_in_spite_of_signals(
    worker: WorkerContext, after: float, handles: bool, reap_signal: int
) -> None:
    """In a worker: hang in a guarded block, ignoring or handling every signal that one can.

    The one that the backend reaps with is left as it is. A handler ends the worker as if all were
    well.
    """

    def handle(*_: Any) -> None:
        raise SystemExit(0)

    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, reap_signal}:
        signal.signal(number, handle if handles else signal.SIG_IGN)
    func(worker, after)


def exit_upon(worker: WorkerContext, number: int, after: float) -> None:
    """In a worker: hang in a guarded block, and exit when the signal comes."""

    def handle(*_: Any) -> None:
        raise SystemExit(EXITED_UPON_SIGNAL)

    signal.signal(number, handle)
    worker.api.configure(worker.client)
    before = time.monotonic()
    with worker.api.expires(after=after):
        worker.journal.write("entered", deadline=before + after)
        hang()

"""Hosts and workers, in whatever state a test leaves them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import NotOffered
from elastic_timer_conformance.harness.death import Death
from elastic_timer_conformance.harness.host import Agent
from elastic_timer_conformance.harness.hosts import Hosts
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.processes import Host, HostDiedError, HostError
from elastic_timer_conformance.workers import WorkerContext, follow, func, hang

# Seconds: far more than any of this takes on a machine that is very busy.
ENOUGH = 60.0

START_METHODS = ["fork", "spawn", "forkserver"]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    pool = Hosts("local", tmp_path, Allowance())
    yield pool
    pool.close()


@pytest.fixture
def host(hosts: Hosts) -> Iterator[Host]:
    lent = hosts.borrow("fork")
    yield lent
    hosts.give_back(lent)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def fail(agent: Agent, text: str) -> None:
    raise ValueError(text)


def ask_for_what_is_not_offered(agent: Agent) -> None:
    raise NotOffered(f"the backend {agent.backend.name!r} does not offer magic")


def die(agent: Agent) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_hosts_number_and_an_answer_come_back(host: Host) -> None:
    assert host.call(current_process) == host.pid


def current_process(agent: Agent) -> int:
    return os.getpid()


def test_an_error_in_the_host_comes_with_its_traceback(host: Host) -> None:
    with pytest.raises(HostError, match="ValueError: in the host"):
        host.call(fail, "in the host")
    assert host.call(current_process) == host.pid


def test_what_the_backend_does_not_offer_is_told_as_such(host: Host) -> None:
    with pytest.raises(NotOffered, match="'local' does not offer magic"):
        host.call(ask_for_what_is_not_offered)


def test_a_host_that_dies_is_told_as_such(host: Host) -> None:
    with pytest.raises(HostDiedError, match="status -9"):
        host.call(die)
    assert not host.is_alive
    assert host.exit_status() == -signal.SIGKILL


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_a_worker_outlives_its_host_and_its_status_is_known(
    hosts: Hosts, journal: Journal, start_method: str
) -> None:
    host = hosts.borrow(start_method)
    worker = host.start_worker(follow, ("gate", "exit"), journal=journal)
    worker.wait_for("at gate")
    host.signal(signal.SIGKILL)
    assert host.death.wait(ENOUGH)
    assert worker.is_alive
    journal.open_gate("exit")
    worker.wait_dead(ENOUGH)
    assert worker.exit_status() == 0
    hosts.give_back(host)


@pytest.mark.parametrize("start_method", START_METHODS)
def test_hosts_are_lent_again_as_new(hosts: Hosts, journal: Journal, start_method: str) -> None:
    first = hosts.borrow(start_method)
    server = first.start_server(60)
    worker = first.start_worker(func, 3600.0, journal=journal, server=server)
    worker.wait_for("entered")
    hosts.give_back(first)
    assert worker.death.wait(ENOUGH)
    again = hosts.borrow(start_method)
    assert again is first
    assert again.call(what_is_kept) == 0
    hosts.give_back(again)


@pytest.mark.parametrize("start_method", START_METHODS)
def test_what_a_worker_has_forked_is_not_left(
    hosts: Hosts, journal: Journal, start_method: str
) -> None:
    host = hosts.borrow(start_method)
    worker = host.start_worker(fork_and_hang, journal=journal)
    deaths = [Death(journal.wait_for("hang", ENOUGH, count=count)["pid"]) for count in (1, 2, 3)]
    assert worker.is_alive
    hosts.give_back(host)
    for death in deaths:
        assert death.wait(ENOUGH)
    assert hosts.borrow(start_method) is host
    hosts.give_back(host)


def fork_and_hang(worker: WorkerContext) -> None:
    if os.fork() == 0:
        os.fork()
    worker.journal.write("hang")
    hang()


def what_is_kept(agent: Agent) -> int:
    return len(agent.servers) + len(agent.processes) + len(agent.queues) + len(agent.opened)


def test_a_stopped_host_is_woken_when_it_is_given_back(hosts: Hosts) -> None:
    host = hosts.borrow("fork")
    host.signal(signal.SIGSTOP)
    hosts.give_back(host)
    assert hosts.borrow("fork") is host
    hosts.give_back(host)


def test_a_dead_host_is_not_lent_again(hosts: Hosts) -> None:
    first = hosts.borrow("fork")
    first.signal(signal.SIGKILL)
    hosts.give_back(first)
    second = hosts.borrow("fork")
    assert second.pid != first.pid
    hosts.give_back(second)


@pytest.mark.parametrize("start_method", START_METHODS)
def test_closing_a_host_ends_everything_in_it(
    hosts: Hosts, journal: Journal, start_method: str
) -> None:
    host = hosts.borrow(start_method)
    worker = host.start_worker(func, 3600.0, journal=journal, server=host.start_server(60))
    worker.wait_for("entered")
    worker.signal(signal.SIGSTOP)
    host.signal(signal.SIGSTOP)
    host.close()
    assert worker.death.wait(ENOUGH)
    with pytest.raises(ProcessLookupError):
        os.killpg(host.pid, 0)


def test_an_opened_server_goes_only_when_told_to(host: Host, journal: Journal) -> None:
    server = host.open_server()
    worker = host.start_worker(
        follow, ("acquire", "scope", 3600.0), ("hang",), journal=journal, server=server
    )
    timers = server.watch_until(lambda timers: bool(timers))
    assert [(worker_id, scope) for worker_id, scope, _ in timers] == [(worker.pid, "scope")]
    assert server.run_watchdog() == []
    server.advance(3601)
    assert server.run_watchdog() == [worker.pid]
    assert worker.is_alive


def test_a_server_passes_a_moment_by(host: Host, journal: Journal) -> None:
    server = host.start_server(0.1)
    moment = time.monotonic() + 0.2
    server.pass_by(moment, journal)
    assert time.monotonic() > moment


def test_a_worker_that_lives_is_told_with_what_it_did(host: Host, journal: Journal) -> None:
    worker = host.start_worker(follow, ("hang",), journal=journal)
    worker.wait_for("hang")
    with pytest.raises(AssertionError, match=r"is alive 0\.1 s later; it wrote \['hang'\]"):
        worker.wait_dead(0.1)


def test_death_is_seen_whoever_the_parent_is() -> None:
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE)
    death = Death(process.pid)
    assert death.at is None
    assert not death.wait(0)
    before = time.monotonic()
    death.signal(signal.SIGKILL)
    assert death.wait(ENOUGH)
    assert death.at is not None
    assert before <= death.at <= time.monotonic()
    process.communicate()
    assert Death(process.pid).wait(0), "one that is gone already is dead from the start"

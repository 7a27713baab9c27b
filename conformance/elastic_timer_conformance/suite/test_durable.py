"""DURABLE: servers that are killed and replaced, and servers that meet."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.journal import LOOK_AGAIN, Journal
from elastic_timer_conformance.harness.patience import TooSlowError, with_time_enough
from elastic_timer_conformance.harness.processes import Host, Worker
from elastic_timer_conformance.harness.reaping import MAX_INTERVAL, SOON, wait_reaped
from elastic_timer_conformance.harness.servers import ServerProcess, Servers
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import follow
from elastic_timer_conformance.workers.flood import Ledger, hammer

Measure = Callable[[str, float], None]
NewServers = Callable[[], Servers]

# Seconds: a timer that does not expire while a test lasts.
NEVER = 3600.0


@pytest.fixture
def new_servers(
    backend: Backend, host: Host, journal: Journal, request: pytest.FixtureRequest
) -> NewServers:
    """A function that returns the servers of a new place, of which none has been started."""

    def make() -> Servers:
        place = backend.new_place()
        request.addfinalizer(lambda: backend.remove_place(place))
        return Servers(host, place, journal)

    return make


# A server is killed ------------------------------------------------------------------------------


@requirement("DURABLE-SERVER-CRASH@20e39cfa")
def test_timers_armed_before_are_enforced(
    new_servers: NewServers, backend: Backend, measured: Measure
) -> None:
    @with_time_enough
    def check(after: float) -> None:
        servers = new_servers()
        first = servers.start()
        # One that expires while there is no server, and one that expires when there is again.
        expiring = servers.worker(("acquire", "scope", after), ("hang",))
        lasting = servers.worker(("acquire", "scope", 2 * after), ("hang",))
        deadline = expiring.wait_for("acquire")["deadline"]
        lasting.wait_for("acquire")
        first.kill()
        if time.monotonic() >= deadline:
            raise TooSlowError  # the first server may have enforced it
        wait_until(deadline)
        assert expiring.is_alive, "reaped at its deadline, though its server was dead by then"
        servers.start()
        replaced = time.monotonic()
        died = wait_reaped(expiring, "acquire", backend) + deadline
        measured("reaped after the replacement's start", died - replaced)
        wait_reaped(lasting, "acquire", backend)


@requirement("DURABLE-SERVER-CRASH@20e39cfa")
def test_timers_of_the_dead_server_s_own_children_are_enforced(
    borrow_host: Callable[[str], Host],
    host: Host,
    journal: Journal,
    backend: Backend,
    allowance: Allowance,
) -> None:
    """As when a launcher is killed: its workers go on without a parent."""

    @with_time_enough
    def check(after: float) -> None:
        launcher = borrow_host(backend.start_methods[-1])
        server = launcher.start_server(MAX_INTERVAL)
        place = server.place()
        steps = (("acquire", "scope", after), ("hang",))
        hung = launcher.start_worker(follow, *steps, journal=journal, server=server)
        steps = (("acquire", "scope", NEVER), ("hang",))
        healthy = launcher.start_worker(follow, *steps, journal=journal, server=server)
        deadline = hung.wait_for("acquire")["deadline"]
        healthy.wait_for("acquire")
        launcher.signal(signal.SIGKILL)
        assert launcher.death.wait(allowance.signal)
        if time.monotonic() >= deadline:
            raise TooSlowError
        replacement = host.start_replacement(place, MAX_INTERVAL)
        died = hung.wait_dead(deadline - time.monotonic() + MAX_INTERVAL + allowance.signal)
        assert died >= deadline, f"reaped {deadline - died:.3f} s before its deadline"
        replacement.pass_by(deadline, journal)
        assert healthy.is_alive, "a worker was reaped whose timer has not expired"
        replacement.stop()
        backend.remove_place(place)


@requirement("DURABLE-SERVER-CRASH@20e39cfa")
def test_releases_made_meanwhile_are_honoured(
    new_servers: NewServers, journal: Journal, allowance: Allowance
) -> None:
    @with_time_enough
    def check(after: float) -> None:
        servers = new_servers()
        first = servers.start()
        crashed = f"crashed {after}"
        start: list[tuple[Any, ...]] = [("acquire", "scope", after), ("gate", crashed)]
        ends: list[tuple[Any, ...]] = [("release", "scope"), ("acquire", "scope", NEVER)]
        healthy = [servers.worker(*start, end, ("gate", "go")) for end in ends]
        deadlines = [worker.wait_for("acquire")["deadline"] for worker in healthy]
        for worker in healthy:
            worker.wait_for("at gate")
        first.kill()
        if time.monotonic() >= min(deadlines):
            raise TooSlowError
        journal.open_gate(crashed)
        left = [worker.wait_for("at gate", count=2)["at"] for worker in healthy]
        if any(at >= deadline for at, deadline in zip(left, deadlines, strict=True)):
            raise TooSlowError
        wait_until(max(deadlines))
        servers.start()
        servers.pass_by(max(deadlines))
        check_nobody_was_reaped(healthy, "released in time, while there was no server")
        journal.open_gate("go")
        for worker in healthy:
            worker.wait_dead(allowance.signal)
            check_healthy_end(worker)


@requirement("DURABLE-SERVER-CRASH@20e39cfa")
@pytest.mark.parametrize("client", ["used before", "new"])
def test_acquires_made_meanwhile_are_enforced(
    new_servers: NewServers,
    journal: Journal,
    backend: Backend,
    allowance: Allowance,
    client: str,
) -> None:
    servers = new_servers()
    first = servers.start()
    use: list[tuple[Any, ...]] = [("acquire", "before", NEVER), ("release", "before")]
    acquire = ("acquire unless refused", "scope", SOON)
    hung = servers.worker(
        *(use if client == "used before" else []), ("gate", "crashed"), acquire, ("hang",)
    )
    hung.wait_for("at gate")
    first.kill()
    journal.open_gate("crashed")
    try:
        refused = hung.wait_for("acquire unless refused", allowance.signal)["refused"]
    except AssertionError as error:
        pytest.fail(f"acquire has not come back while there was no server: {error}")
    assert not refused, "acquire was refused while there was no server"
    servers.start()
    wait_reaped(hung, "acquire unless refused", backend)


# Servers that are killed in a row; workers that acquire and release all the time; and the seconds
# until the timer of a worker that hangs expires, one for each server.
CRASHES = 10
BUSY = 2
SHORT = 0.1


@requirement("DURABLE-SERVER-CRASH@20e39cfa")
def test_ten_crashes_under_load(
    new_servers: NewServers,
    host: Host,
    journal: Journal,
    backend: Backend,
    allowance: Allowance,
    measured: Measure,
) -> None:
    @with_time_enough
    def check(after: float) -> None:
        servers = new_servers()
        server = servers.start()
        name = str(after)
        busy = [
            host.start_worker(hammer, after, 0, name, journal=journal, place=servers.place)
            for _ in range(BUSY)
        ]
        hung = [
            servers.worker(("gate", f"{number} {name}"), ("acquire", "scope", SHORT), ("hang",))
            for number in range(CRASHES)
        ]
        for worker in [*busy, *hung]:
            worker.wait_for("ready" if worker in busy else "at gate")
        journal.open_gate(f"burst {name}")
        journal.open_gate(f"flood {name}")
        for number, worker in enumerate(hung):
            # Armed while there is a server, and while there is none, by turns.
            if number % 2:
                server.kill()
            journal.open_gate(f"{number} {name}")
            wait_armed(worker)
            server.kill()
            server = servers.start()
            measured("detection latency beside a crash", wait_reaped(worker, "acquiring", backend))
        journal.open_gate(f"enough {name}")
        last = [deadline_when_enough(worker, journal, allowance) for worker in busy]
        servers.pass_by(max(last))
        for worker in busy:
            if worker.death.at is not None and Ledger(journal, worker.pid).excuses(worker.death.at):
                raise TooSlowError
        check_nobody_was_reaped(busy, f"released in time, over {CRASHES} crashes of the server")
        journal.open_gate("go")
        for worker in busy:
            worker.wait_dead(allowance.signal)
            check_healthy_end(worker)


def wait_armed(worker: Worker) -> None:
    """Return when a worker says that it has acquired its timer, or is dead before it can say so."""
    try:
        worker.wait_for("acquire", worker.host.allowance.signal)
    except AssertionError:
        if worker.is_alive:
            raise


def deadline_when_enough(worker: Worker, journal: Journal, allowance: Allowance) -> float:
    """Return the last deadline of a busy worker that has enough, or 0 if it was reaped instead."""
    end = time.monotonic() + allowance.signal
    while not (entries := journal.entries("enough", worker.pid)) and worker.is_alive:
        assert time.monotonic() < end, f"the worker {worker.pid} does not come to an end"
        worker.death.wait(LOOK_AGAIN)
    deadline: float = entries[0]["deadline"] if entries else 0.0
    return deadline


# Servers meet ------------------------------------------------------------------------------------


@requirement("DURABLE-TAKEOVER@b4daffa5")
@pytest.mark.parametrize("state", ["running", "suspended"])
def test_a_second_server_beside_a_living_one(
    new_servers: NewServers, journal: Journal, backend: Backend, state: str
) -> None:
    servers = new_servers()
    first = servers.start()
    if state == "suspended":
        first.suspend()
    second = servers.start()
    first.resume()
    check_refusal(second, backend)
    check_one_enforces(servers, [first, second], journal, backend)


@requirement("DURABLE-TAKEOVER@b4daffa5")
def test_servers_that_start_at_once(
    new_servers: NewServers, journal: Journal, backend: Backend
) -> None:
    servers = new_servers()
    servers.start().kill()
    several = [servers.begin() for _ in range(4)]
    refused = [server for server in several if server.refusal is not None]
    for server in refused:
        check_refusal(server, backend)
    if backend.when_served is not None:
        assert len(refused) == len(several) - 1, (
            f"of {len(several)} servers that were started at once, {len(refused)} were refused"
        )
    check_one_enforces(servers, several, journal, backend)


@requirement("DURABLE-TAKEOVER@b4daffa5")
def test_one_that_was_refused_may_replace_the_other_later(
    new_servers: NewServers, journal: Journal, backend: Backend
) -> None:
    servers = new_servers()
    first = servers.start()
    servers.start()
    first.kill()
    third = servers.start()
    if backend.when_served is not None:
        assert third.refusal is None, f"refused, though the other is dead: {third.refusal}"
    check_one_enforces(servers, [third], journal, backend)


def check_refusal(server: ServerProcess, backend: Backend) -> None:
    """Assert that starting one beside another ended as the backend documents."""
    kind = backend.when_served
    if kind is None:
        assert server.refusal is None, (
            f"starting a second server raised {server.refusal}; the backend documents nothing"
        )
        return
    assert server.refusal is not None, (
        f"a second server was started beside one that lives; {kind.__name__} is documented"
    )
    kinds, text = server.refusal
    assert f"{kind.__module__}.{kind.__qualname__}" in kinds, (
        f"a second server was refused with {kinds[0]} ({text}); {kind.__name__} is documented"
    )
    assert text, "the error does not say what is the matter"


def check_one_enforces(
    servers: Servers, several: list[ServerProcess], journal: Journal, backend: Backend
) -> None:
    """Assert that of several servers one reaps the worker that hangs, and none another."""

    @with_time_enough
    def check(after: float) -> None:
        leave = f"leave {after}"
        healthy = servers.worker(
            ("gate", leave), ("acquire", "scope", after), ("release", "scope"), ("gate", "go")
        )
        hung = servers.worker(("acquire", "scope", SOON), ("hang",))
        healthy.wait_for("at gate")
        journal.open_gate(leave)
        left = healthy.wait_for("at gate", count=2)["at"]
        deadline = healthy.wait_for("acquire")["deadline"]
        if left >= deadline:
            raise TooSlowError
        wait_reaped(hung, "acquire", backend)
        servers.pass_by(deadline)
        check_nobody_was_reaped([healthy], "released in time, beside several servers")
        serving = [server for server in several if server.refusal is None]
        assert serving, "of several servers none has started"
        sent = {server.pid: server.signals_to(hung.pid) for server in serving}
        count = sum(map(len, sent.values()))
        # A server that does not signal by its own process shows nothing here.
        assert count <= 1, f"the worker that hung was reaped {count} times; by server: {sent}"


# -------------------------------------------------------------------------------------------------


def wait_until(moment: float) -> None:
    """Sleep until a monotonic time."""
    time.sleep(max(moment - time.monotonic(), 0))


def check_healthy_end(worker: Worker) -> None:
    status = worker.exit_status()
    assert status == 0, f"a worker that came to its own end ended with status {status}"


def check_nobody_was_reaped(workers: list[Worker], why: str) -> None:
    dead = [worker.pid for worker in workers if not worker.is_alive]
    assert not dead, f"{len(dead)} of {len(workers)} workers, which {why}, were reaped"

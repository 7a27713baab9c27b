"""QUEUE: producers that are killed, that stop, and whom nobody reads."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.faults import send_half
from elastic_timer_conformance.harness.host import Agent
from elastic_timer_conformance.harness.journal import LOOK_AGAIN, Journal
from elastic_timer_conformance.harness.processes import Host
from elastic_timer_conformance.harness.reaping import MAX_INTERVAL, SOON, wait_reaped
from elastic_timer_conformance.harness.standstill import wait_for_standstill
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import follow
from elastic_timer_conformance.workers.sending import (
    Tally,
    send_endlessly,
    send_many,
    send_until_refused,
)

Measure = Callable[[str, float], None]

# Producers, and requests of 1 KiB for each, that fill any pipe: the largest is 1 MiB.
SENDERS = 4
MORE_THAN_FITS = 1000

# Seconds within which a producer is stopped or killed at a random instant: several hundred
# requests, so that any part of sending one is as likely as another.
A_WHILE = 0.005


def hang_after_mishaps(
    host: Host,
    journal: Journal,
    backend: Backend,
    mishap: Callable[[list[Any]], None],
    what: str,
) -> None:
    """Have a mishap come over workers that send; a worker that hangs afterwards must be reaped.

    `what` says in a word what the mishap has done to them.
    """
    allowance = host.allowance
    server = host.start_server(MAX_INTERVAL)
    hung = host.start_worker(
        follow, ("gate", "hang"), ("acquire", "s", SOON), ("hang",), journal=journal, server=server
    )
    senders = [
        host.start_worker(send_many, MORE_THAN_FITS, journal=journal, server=server)
        for _ in range(SENDERS)
    ]
    for worker in senders:
        worker.wait_for("ready")
    hung.wait_for("at gate")
    mishap(senders)
    journal.open_gate("hang")
    # A transport that holds it up does so in `acquire`, from which it then does not come back.
    begun: float = hung.wait_for("acquiring")["at"]
    hung.death.wait(SOON + MAX_INTERVAL + allowance.signal)
    assert not hung.is_alive or journal.entries("acquire", hung.pid), (
        f"a worker that acquires a timer, after others were {what} in the middle of sending, has "
        f"not come back from `acquire` in {time.monotonic() - begun:.1f} s"
    )
    wait_reaped(hung, "acquiring", backend)


def mishap_in_the_middle(
    host: Host, journal: Journal, allowance: Allowance, number: int
) -> Callable[[list[Any]], None]:
    """Return a mishap: a signal to workers that are in the middle of sending.

    The server is suspended, so what they send fills the transport, and whoever can be stuck in
    sending is stuck.
    """

    def mishap(senders: list[Any]) -> None:
        host.suspend()
        journal.open_gate("send")
        for worker in senders:
            worker.wait_for("sending", allowance.signal)
        wait_for_standstill([worker.pid for worker in senders], allowance.startup)
        for worker in senders:
            worker.signal(number)
        if number == signal.SIGKILL:
            for worker in senders:
                worker.wait_dead(allowance.signal)
        host.resume()

    return mishap


def mishap_at_random(
    journal: Journal, allowance: Allowance, number: int
) -> Callable[[list[Any]], None]:
    """Return a mishap: a signal to each worker at a random instant, while the server reads."""

    def mishap(senders: list[Any]) -> None:
        journal.open_gate("send")
        for worker in senders:
            worker.wait_for("sending", allowance.signal)
            time.sleep(random.uniform(0, A_WHILE))
            worker.signal(number)

    return mishap


@requirement("QUEUE-KILLED-PRODUCER@86a3805d")
def test_producers_killed_in_the_middle_of_sending(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    mishap = mishap_in_the_middle(host, journal, allowance, signal.SIGKILL)
    hang_after_mishaps(host, journal, backend, mishap, "killed")


@requirement("QUEUE-KILLED-PRODUCER@86a3805d")
def test_producers_killed_at_random_instants(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    mishap = mishap_at_random(journal, allowance, signal.SIGKILL)
    hang_after_mishaps(host, journal, backend, mishap, "killed")


@requirement("QUEUE-KILLED-PRODUCER@86a3805d")
def test_killed_producers_lose_at_most_one_request(
    host: Host, journal: Journal, allowance: Allowance
) -> None:
    queue = host.call(Agent.open_queue)
    producers = [
        host.start_worker(send_endlessly, number, journal=journal, queue=queue)
        for number in range(8)
    ]
    for worker in producers:
        worker.wait_for("ready")
    host.call(begin_to_read, queue)
    journal.open_gate("send")
    bystander, *victims = range(len(producers))
    for victim in victims:
        end = time.monotonic() + allowance.signal
        while not Tally(journal, victim).count() and time.monotonic() < end:
            time.sleep(LOOK_AGAIN)
        time.sleep(random.uniform(0, A_WHILE))
        producers[victim].signal(signal.SIGKILL)
    for victim in victims:
        producers[victim].wait_dead(allowance.signal)
    journal.open_gate("enough")
    sent = {victim: Tally(journal, victim).count() for victim in victims}
    assert all(sent.values()), f"producers that sent nothing within the allowance: {sent}"
    # The one that was not killed goes on, and may now have to wait for room like any other.
    sent[bystander] = producers[bystander].wait_for("enough", allowance.signal)["sent"]
    received = host.call(read_so_many, sent, allowance.signal)
    missing = {
        number: count - received[number]
        for number, count in sent.items()
        if received[number] < count
    }
    assert not missing, (
        f"requests lost, of each producer, although sending them was over: {missing}"
    )
    unsent = {number: received[number] - count for number, count in sent.items()}
    assert unsent[bystander] == 0
    # Between the request and its entry in the tally, a producer can be killed too.
    assert set(unsent.values()) <= {0, 1}, f"more came than was sent: {unsent}"


@requirement("QUEUE-STALLED-PRODUCER@0f0783a4")
def test_producers_stopped_in_the_middle_of_sending(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    mishap = mishap_in_the_middle(host, journal, allowance, signal.SIGSTOP)
    hang_after_mishaps(host, journal, backend, mishap, "stopped")


@requirement("QUEUE-STALLED-PRODUCER@0f0783a4")
def test_producers_stopped_at_random_instants(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    mishap = mishap_at_random(journal, allowance, signal.SIGSTOP)
    hang_after_mishaps(host, journal, backend, mishap, "stopped")


@requirement("QUEUE-STALLED-PRODUCER@0f0783a4")
def test_half_a_request(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    steps = (("gate", "hang"), ("acquire", "scope", SOON), ("hang",))
    hung = host.start_worker(follow, *steps, journal=journal, server=server)
    hung.wait_for("at gate")
    host.call(send_half, server.number)
    journal.open_gate("hang")
    wait_reaped(hung, "acquire", backend)


# Enough of them, and 1 KiB for each, to tell a memory that keeps them from one that does not.
UNREAD = 32 * 1024
UNREAD_MEMORY = UNREAD * 1024 // 2


@requirement("QUEUE-BACKPRESSURE@7b5bc76a")
def test_a_queue_that_nobody_reads(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance, measured: Measure
) -> None:
    server = host.start_server(MAX_INTERVAL)
    workers = {
        method: host.start_worker(
            send_until_refused, method, UNREAD, SOON, journal=journal, server=server
        )
        for method in ("acquire", "release")
    }
    for worker in workers.values():
        worker.wait_for("ready")
    host.suspend()
    journal.open_gate("send")
    documented = backend.when_full
    patience = allowance.startup + (documented.within if documented else 0)
    for method, worker in workers.items():
        seen = worker.wait_for("refused", patience)
        assert seen["grown"] <= UNREAD_MEMORY, (
            f"while nobody read, {seen['calls']} calls of {method} of 1 KiB each made the "
            f"worker's memory grow by {seen['grown'] >> 20} MiB, and ended with {seen['kinds']}"
        )
        if seen["kinds"] is None:
            continue  # unread requests take up no room
        assert documented is not None, (
            f"{method} raised {seen['kinds'][0]} ({seen['text']}) out of the user's block, and "
            f"the backend does not document what happens when nobody reads"
        )
        assert name_of(documented.error) in seen["kinds"], f"{method} raised {seen['kinds'][0]}"
        assert seen["longest"] <= documented.within + allowance.signal
        measured(f"{method} refused after", seen["longest"])
    host.resume()
    journal.open_gate("go on")
    for worker in workers.values():
        wait_reaped(worker, "acquire", backend)


def name_of(kind: type[Exception]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


# In the host -------------------------------------------------------------------------------------

_received: Counter[int] = Counter()


def begin_to_read(agent: Agent, queue: int) -> None:
    """Read a queue in a thread as a watchdog does, from now on."""
    source = agent.queues[queue].queue
    _received.clear()

    def read() -> None:
        while queue in agent.queues:
            for request in source.get(max(1, source.size()), MAX_INTERVAL):
                producer, number = map(int, request.scope_id.split("/"))
                # One that came twice or out of turn makes the count wrong for good.
                _received[producer] += 1 if number == _received[producer] else -(10**6)

    threading.Thread(target=read, daemon=True).start()


def read_so_many(agent: Agent, sent: dict[int, int], patience: float) -> dict[int, int]:
    """Return how many requests of each producer have come, when all have or no more do."""
    last, moment = 0, time.monotonic()
    while time.monotonic() < moment + patience:
        if all(_received[producer] >= count for producer, count in sent.items()):
            break
        if _received.total() != last:
            last, moment = _received.total(), time.monotonic()
        time.sleep(LOOK_AGAIN)
    return {producer: _received[producer] for producer in sent}

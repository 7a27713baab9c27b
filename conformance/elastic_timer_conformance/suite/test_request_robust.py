"""REQUEST: what the transport cannot carry whole is refused, and disturbs nothing else."""

from __future__ import annotations

import re

from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.processes import Host
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import WorkerContext, hang

# Characters of a scope: what every transport carries, and what none needs to.
CARRIED = 1024
MEBIBYTE = 2**20

# Seconds since the epoch: beyond any test's life.
LATER = 4102444800.0

# Bytes of a request beside its scope, at most.
REST = 1024

# Requests of normal size that another worker sends meanwhile.
OTHERS = 200


@requirement("REQUEST-OVERSIZE@41893822")
def test_what_is_too_large_is_refused_whole(host: Host, journal: Journal) -> None:
    server = host.open_server()
    other = host.start_worker(send_beside, OTHERS, journal=journal, server=server)
    worker = host.start_worker(find_limit, journal=journal, server=server)
    other.wait_for("ready")
    worker.wait_for("ready")
    journal.open_gate("send")
    last = {(worker.pid, "after", LATER), (other.pid, str(OTHERS - 1), LATER)}
    timers = server.watch_until(lambda timers: last <= set(timers))
    sent = worker.wait_for("sent")
    wanted = {(other.pid, str(number), LATER) for number in range(OTHERS)}
    wanted |= {(worker.pid, scope, LATER) for scope in ("before", "after")}
    wanted |= {(worker.pid, "x" * size, LATER) for size in sent["carried"]}
    missing, surplus = wanted - set(timers), set(timers) - wanted
    assert not missing, f"lost beside requests that were too large: {shortened(missing)}"
    assert not surplus, f"arrived though refused, or was changed: {shortened(surplus)}"


@requirement("REQUEST-OVERSIZE@41893822")
def test_the_refusal_names_the_size_and_the_limit(host: Host, journal: Journal) -> None:
    server = host.open_server()
    worker = host.start_worker(find_limit, journal=journal, server=server)
    worker.wait_for("ready")
    journal.open_gate("send")
    server.watch_until(lambda timers: (worker.pid, "after", LATER) in timers)
    sent = worker.wait_for("sent")
    carried = max(sent["carried"])
    for size, error in sent["refused"].items():
        digits = re.sub(r"(?<=\d)[,_](?=\d)", "", error)
        numbers = {int(number) for number in re.findall(r"\d+", digits)}
        # Both count the bytes of a request, of which the scope is the largest part.
        sizes = {number for number in numbers if number >= int(size)}
        limits = {
            number
            for number in numbers
            if carried <= number < min(map(int, sent["refused"])) + REST
        }
        assert sizes, f"the error for a scope of {size} characters names no such size: {error}"
        assert limits, f"scopes of {carried} characters are carried; no such limit in: {error}"
        assert len(sizes | limits) >= 2, f"the size or the limit is not in: {error}"


def shortened(timers: set[tuple[int, str, float]]) -> list[str]:
    return sorted(f"{scope[:20]} ({len(scope)} characters) of {pid}" for pid, scope, _ in timers)


# In workers --------------------------------------------------------------------------------------


def find_limit(worker: WorkerContext) -> None:
    """After the gate `send`: acquire ever larger scopes, between two of normal size.

    Writes `ready` before; and `sent`, with the sizes of scopes that went through, and the errors
    that met the others, which come as close to the limit as can be.
    """
    carried = [CARRIED]
    refused: dict[int, str] = {}
    worker.journal.write("ready")
    worker.journal.wait_at_gate("send")
    worker.client.acquire("before", LATER)
    worker.client.acquire("x" * CARRIED, LATER)
    size = MEBIBYTE
    while size not in (max(carried), *refused):
        try:
            worker.client.acquire("x" * size, LATER)
        except Exception as error:
            refused[size] = str(error)
        else:
            carried.append(size)
        size = (max(carried) + min(refused)) // 2 if refused else max(carried)
    worker.client.acquire("after", LATER)
    worker.journal.write("sent", carried=carried, refused=refused)
    hang()


def send_beside(worker: WorkerContext, count: int) -> None:
    """After the gate `send`, acquire numbered scopes."""
    worker.journal.write("ready")
    worker.journal.wait_at_gate("send")
    for number in range(count):
        worker.client.acquire(str(number), LATER)
    hang()

"""QUEUE: what is no request is reported and skipped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend, Capability, IdleServer
from elastic_timer_conformance.harness.faults import send_raw
from elastic_timer_conformance.harness.garbage import GARBAGE
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.processes import Host
from elastic_timer_conformance.harness.reaping import MAX_INTERVAL, SOON, wait_reaped
from elastic_timer_conformance.requirement import not_applicable, requirement
from elastic_timer_conformance.workers import follow


@requirement("QUEUE-MALFORMED@a5db7642")
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_requests_around_garbage_are_served(
    backend: Backend,
    open_server: Callable[..., IdleServer],
    worker_ids: list[Any],
    allowance: Allowance,
    caplog: pytest.LogCaptureFixture,
    garbage: bytes,
) -> None:
    # Time enough for a watchdog to read all three at once, if it can.
    idle = open_server(max_interval=1.0)
    later = time.time() + 3600
    wanted = ["before", "after"]
    raised: list[Exception] = []
    with caplog.at_level(logging.WARNING):
        idle.put(backend.request(worker_ids[0], wanted[0], later))
        backend.send_raw(idle.server, garbage)
        idle.put(backend.request(worker_ids[0], wanted[1], later))
        end = time.monotonic() + allowance.signal
        found: list[str] = []
        while sorted(found) != sorted(wanted) and time.monotonic() < end:
            try:
                idle.server._run_watchdog()
            except Exception as error:
                raised.append(error)  # the watchdog loop would log it, and go on
            expired = idle.server.get_expired_timers(float("inf"))
            found = [timer.scope_id for timers in expired.values() for timer in timers]
    assert sorted(found) == sorted(wanted), (
        f"with {garbage[:40]!r} between the requests {wanted}, {found} were served; "
        f"watchdogs raised {raised}"
    )
    assert raised or any(record.levelno >= logging.WARNING for record in caplog.records), (
        f"nothing was logged about {garbage[:40]!r}"
    )


@requirement("QUEUE-MALFORMED@a5db7642")
def test_the_loop_survives_garbage(host: Host, journal: Journal, backend: Backend) -> None:
    server = host.start_server(MAX_INTERVAL)
    steps = (("gate", "hang"), ("acquire", "scope", SOON), ("hang",))
    hung = host.start_worker(follow, *steps, journal=journal, server=server)
    hung.wait_for("at gate")
    for garbage in GARBAGE.values():
        host.call(send_raw, server.number, garbage)
    journal.open_gate("hang")
    wait_reaped(hung, "acquire", backend)


@requirement("QUEUE-MALFORMED@a5db7642")
def test_garbage_is_an_event(backend: Backend, worker_ids: list[Any], allowance: Allowance) -> None:
    if Capability.EVENTS not in backend.capabilities:
        not_applicable(f"the backend {backend.name!r} does not claim to report events")
    events: list[Any] = []
    idle = backend.observed_server(0.01, events.append)
    try:
        backend.send_raw(idle.server, GARBAGE["text"])
        end = time.monotonic() + allowance.signal
        while not events and time.monotonic() < end:
            idle.server._run_watchdog()
        assert [event.name for event in events] == ["malformed request"]
    finally:
        idle.close()

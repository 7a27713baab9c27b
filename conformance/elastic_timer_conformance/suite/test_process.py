"""PROCESS: real workers, really reaped."""

from __future__ import annotations

from collections.abc import Callable

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.journal import Journal
from elastic_timer_conformance.processes import Host
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import func

Measure = Callable[[str, float], None]

# Seconds. Long enough for a worker to be seen inside its block, short enough to wait for.
AFTER = 0.3
MAX_INTERVAL = 0.1


@requirement("PROCESS-REAPS-HUNG")
def test_reaps_a_hung_worker(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance, measured: Measure
) -> None:
    server = host.start_server(MAX_INTERVAL)
    hung = host.start_worker(func, AFTER, journal=journal, server=server)
    deadline = hung.wait_for("entered")["deadline"]
    died = hung.wait_dead(AFTER + MAX_INTERVAL + allowance.signal)
    assert died >= deadline, f"reaped {deadline - died:.3f} s before its deadline"
    assert hung.exit_status() == -backend.reap_signal
    measured("detection latency", died - deadline)

"""Waiting for a hung worker to be reaped, on time and by the right signal."""

from __future__ import annotations

import time

from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.processes import Worker

__all__ = ["MAX_INTERVAL", "SOON", "wait_reaped"]

# Seconds: between two looks of a server at its timers, and until a hung worker's timer expires.
# Both are short, since tests wait for them, and neither decides on the outcome.
MAX_INTERVAL = 0.1
SOON = 0.3


def wait_reaped(worker: Worker, event: str, backend: Backend) -> float:
    """Wait for a worker to be reaped at its deadline; return how late it was, in seconds.

    The deadline, as monotonic time, is in the worker's entry `event`. Raises AssertionError if
    the worker is alive `MAX_INTERVAL` and the allowance later, or died early or otherwise.
    """
    deadline: float = worker.wait_for(event)["deadline"]
    patience = MAX_INTERVAL + worker.host.allowance.signal
    worker.death.wait(max(deadline - time.monotonic(), 0) + patience)
    died = worker.death.at
    assert died is not None, (
        f"the worker {worker.pid} hangs, and is alive {time.monotonic() - deadline:.1f} s after "
        f"its timer expired; it wrote {worker.wrote()}"
    )
    status = worker.exit_status()
    assert status == -backend.reap_signal, (
        f"the hung worker ended with status {status}; one that was reaped, with "
        f"{-backend.reap_signal}"
    )
    assert died >= deadline, f"reaped {deadline - died:.3f} s before its deadline"
    return died - deadline

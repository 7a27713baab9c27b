"""Seeing that processes have come to a standstill: whatever they are in, they are stuck in it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["wait_for_standstill"]

# Seconds between two looks at the threads. Any interval will do: a thread that waits for a
# processor is not asleep, and one that woke up in between has been switched to.
LOOK_AGAIN = 0.02

Threads = dict[str, tuple[str, str]]


def wait_for_standstill(pids: Iterable[int], timeout: float) -> None:
    """Wait until every thread of these processes is asleep, and none was awake in between.

    Raises AssertionError if that takes longer than `timeout` seconds.
    """
    pids = list(pids)
    end = time.monotonic() + timeout
    before = _threads(pids)
    while True:
        time.sleep(LOOK_AGAIN)
        now = _threads(pids)
        if now == before and all(state.startswith("S") for state, _ in now.values()):
            return
        if time.monotonic() >= end:
            raise AssertionError(
                f"the processes {pids} are still at work {timeout} s later: {sorted(now.values())}"
            )
        before = now


def _threads(pids: Iterable[int]) -> Threads:
    """Return state and number of switches, of every thread (see `status` in proc(5))."""
    found = {}
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            lines = (task / "status").read_text(errors="replace").splitlines()
            fields = dict(line.split(":", 1) for line in lines)
            switches = fields["voluntary_ctxt_switches"] + fields["nonvoluntary_ctxt_switches"]
            found[task.name] = (fields["State"].strip(), switches)
    return found

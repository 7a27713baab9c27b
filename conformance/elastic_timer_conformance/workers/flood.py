"""Workers that hold short timers without a pause, and can prove that they released them in time.

A worker that has been reaped can no longer tell whether it deserved it, so it keeps a ledger that
outlives it.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path

from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.workers import WorkerContext

__all__ = ["Ledger", "hammer"]

# The deadline of the timer that is held, or infinity; and whether one was ever released late.
LEDGER = struct.Struct("d?")

NEVER = float("inf")

# Blocks between two looks for the gate, which cost a system call each.
BLOCKS_AT_A_TIME = 20


class Ledger:
    """A worker's account of its timers, in a file that it keeps mapped."""

    def __init__(self, journal: Journal, pid: int) -> None:
        self._path = Path(f"{journal.path}.ledger.{pid}")

    def open(self) -> mmap.mmap:
        """Begin it: the worker's side."""
        self._path.write_bytes(LEDGER.pack(NEVER, False))
        with open(self._path, "r+b") as file:
            return mmap.mmap(file.fileno(), LEDGER.size)

    def excuses(self, death: float) -> bool:
        """Return whether the worker may have been reaped rightly at this monotonic time.

        It may if it ever was late: then the machine was too slow for the timers that were chosen.
        """
        deadline, late = LEDGER.unpack(self._path.read_bytes())
        return bool(late) or death >= deadline


def hammer(worker: WorkerContext, after: float, burst: int, gates: str) -> None:
    """Hold timers of `after` seconds, one after the other, each released at once.

    First a number of them, `burst`, after the gate `burst GATES`; then, from the gate `flood GATES`
    on, without a pause until the gate `enough GATES` is open. Then the worker goes on until the
    gate `go`, and exits.
    Writes `ready`, `burst`, with the last deadline, and `enough`, with it and the number of blocks.
    """
    ledger = Ledger(worker.journal, os.getpid()).open()
    late = False
    deadline = 0.0

    def hold(scope: str) -> None:
        nonlocal late, deadline
        now = time.time()
        deadline = time.monotonic() + after
        LEDGER.pack_into(ledger, 0, deadline, late)
        worker.client.acquire(scope, now + after)
        worker.client.release(scope)
        late = late or time.monotonic() >= deadline
        LEDGER.pack_into(ledger, 0, NEVER, late)

    worker.journal.write("ready")
    worker.journal.wait_at_gate(f"burst {gates}")
    for number in range(burst):
        hold(f"scope {number % 3}")
    worker.journal.write("burst", deadline=deadline)
    worker.journal.wait_at_gate(f"flood {gates}")
    blocks = burst
    while not os.path.exists(f"{worker.journal.path}.enough {gates}"):
        for number in range(BLOCKS_AT_A_TIME):
            hold(f"scope {number % 3}")
        blocks += BLOCKS_AT_A_TIME
    worker.journal.write("enough", deadline=deadline, late=late, blocks=blocks)
    worker.journal.wait_at_gate("go")

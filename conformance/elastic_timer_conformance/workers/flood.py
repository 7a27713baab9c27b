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

__all__ = ["Holder", "Ledger", "hammer"]

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
        One that has not begun a ledger has no excuse.
        """
        if not self._path.exists():
            return False
        deadline, late = LEDGER.unpack(self._path.read_bytes())
        return bool(late) or death >= deadline


class Holder:
    """Holds timers, one after the other, each released at once, and keeps the ledger."""

    def __init__(self, worker: WorkerContext) -> None:
        self._worker = worker
        self._ledger = Ledger(worker.journal, os.getpid()).open()
        self.late = False
        self.deadline = 0.0
        """Of the last timer."""

    def hold(self, count: int, after: float) -> None:
        """Hold so many timers of `after` seconds."""
        client = self._worker.client
        for number in range(count):
            scope = f"scope {number % 3}"
            # In this order, so that the deadline is not later than the true one.
            self.deadline = time.monotonic() + after
            expiration_time = time.time() + after
            LEDGER.pack_into(self._ledger, 0, self.deadline, self.late)
            client.acquire(scope, expiration_time)
            client.release(scope)
            self.late = self.late or time.monotonic() >= self.deadline
            LEDGER.pack_into(self._ledger, 0, NEVER, self.late)

    def hold_until(self, gate: str, after: float, pause: float = 0.0) -> int:
        """Hold timers until a gate is open, with a pause now and then; return how many."""
        path = f"{self._worker.journal.path}.{gate}"
        blocks = 0
        while not os.path.exists(path):
            self.hold(BLOCKS_AT_A_TIME, after)
            blocks += BLOCKS_AT_A_TIME
            if pause:
                time.sleep(pause)
        return blocks


def hammer(worker: WorkerContext, after: float, burst: int, gates: str) -> None:
    """Hold timers of `after` seconds, one after the other, each released at once.

    First a number of them, `burst`, after the gate `burst GATES`; then, from the gate `flood GATES`
    on, without a pause until the gate `enough GATES` is open. Then the worker goes on until the
    gate `go`, and exits.
    Writes `ready`, `burst`, with the last deadline, and `enough`, with it and the number of blocks.
    """
    holder = Holder(worker)
    worker.journal.write("ready")
    worker.journal.wait_at_gate(f"burst {gates}")
    holder.hold(burst, after)
    worker.journal.write("burst", deadline=holder.deadline)
    worker.journal.wait_at_gate(f"flood {gates}")
    blocks = burst + holder.hold_until(f"enough {gates}", after)
    worker.journal.write("enough", deadline=holder.deadline, late=holder.late, blocks=blocks)
    worker.journal.wait_at_gate("go")

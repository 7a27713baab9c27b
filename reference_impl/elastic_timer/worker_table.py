"""The worker's side of its table in shared memory; see :mod:`elastic_timer.shared_table`."""

from __future__ import annotations

import math
import mmap
import os
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from types import FrameType
from typing import TYPE_CHECKING

from .blocks import unlink
from .clock import Instant
from .errors import RequestTooLargeError, TooManyTimersError
from .shared_table import (
    BOUND,
    FIRST_SLOT,
    FORMAT,
    MAPPED,
    MAX_SCOPE_BYTES,
    MAX_SLOTS,
    SCOPE_STRIDE,
    SCOPES_AT,
    USED,
    table_name,
)
from .worker import WorkerId

if TYPE_CHECKING:
    from .expires import expires

__all__ = ["WorkerTable"]

_LONG_OVER = math.ulp(0.0)
"""The deadline that stands for every one that was over before the host was started."""

_PATIENCE = 1.0
"""Seconds after which a scope's entry that somebody took out is given up: a thread that waits for
its turn to run, with all processors busy, has it sooner."""

_GROWTH = 64
"""Slots whose memory is reserved at a time: it must be there before it is mapped and written, or
a full file system would be a SIGBUS in the worker instead of an error."""


class WorkerTable:
    """The worker's side: creates the table of one process, and stores into it.

    Safe from many threads, and from a signal handler that interrupts one of them.

    Args:
        directory: where the tables are.
        worker_id: whose table it is.
        ring: tells the server to look into the table.

    Raises:
        OSError: the directory is not there, or its file system is full.
    """

    def __init__(self, directory: Path, worker_id: WorkerId, ring: Callable[[], object]) -> None:
        self._ring = ring
        path = directory / table_name(worker_id)
        unfinished = directory / f".{path.name}"
        self._fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.truncate(self._fd, MAPPED)
        self._reserve(0, 8 * FIRST_SLOT)
        self._mapping = mmap.mmap(self._fd, MAPPED)
        self._words = memoryview(self._mapping).cast("d")
        self._words[0] = FORMAT
        self._words[BOUND] = math.inf
        # The scopes that have a slot, and whose it is: the innermost block's, an acquire()'s, or
        # nobody's, in which case the slot is parked under the scope as a number. Whoever changes a
        # scope's timer takes its entry out and puts the new one in: one thread can have it at a
        # time, without a lock, and a signal handler that finds it missing can tell.
        self._scopes: dict[str, expires | _Acquired | int] = {}
        self._slots: dict[str, int] = {}
        self._spare: list[int] = []
        self._used = 0
        self._reserved = 0
        self._lock = threading.RLock()  # for giving slots to scopes
        os.rename(unfinished, path)  # the server never sees one that is half made

    def arm(self, scope_id: str, expiration_time: Instant) -> None:
        """Store a timer's deadline, and tell the server if that is the earliest.

        Raises:
            RequestTooLargeError: the scope is longer than :data:`MAX_SCOPE_BYTES` in UTF-8.
            TooManyTimersError: :data:`MAX_SLOTS` timers are armed already.
            OSError: the file system is full.
        """
        held = self._take(scope_id, claim=True)
        holder = _Acquired(held) if isinstance(held, int) else held
        assert holder is not None
        if isinstance(holder, _Acquired):
            self._words[holder.slot + 1] = expiration_time or -0.0
        self._store(holder, expiration_time.monotonic)
        self._scopes[scope_id] = holder
        self._tell(holder.deadline)

    def disarm(self, scope_id: str) -> None:
        """Store that a timer is released; nothing happens if it is not armed."""
        held = self._take(scope_id)
        if held is not None:
            word = held if isinstance(held, int) else held.slot
            self._clear(word)
            self._scopes[scope_id] = word

    def enter_block(self, block: expires) -> None:
        """Arm the timer of a block that is entered; raises what :meth:`arm` does."""
        # Spelt out, since this is the path that every guarded block takes.
        scopes = self._scopes
        words = self._words
        scope_id = block.scope_id
        held = scopes.pop(scope_id, None)
        block.outer = None
        block.slot = word = held if type(held) is int else self._take_over(block, held)
        now = monotonic()
        deadline = now + block.after
        if deadline <= 0.0:
            deadline = _LONG_OVER
        words[word] = block.deadline = deadline
        scopes[scope_id] = block
        bound = words[BOUND]
        if deadline < bound or now >= bound:
            self._ring()

    def leave_block(self, block: expires) -> None:
        """Disarm the timer of a block that is left, or arm it again for the block around it."""
        scopes = self._scopes
        scope_id = block.scope_id
        held = scopes.pop(scope_id, None)
        if held is block and block.outer is None:
            word = block.slot
            self._words[word] = -block.deadline
            scopes[scope_id] = word
        else:
            self._leave(block, held or self._wait_for(scope_id))

    def close(self) -> None:
        """Give the memory and the descriptor back; the file stays, and so do its timers.

        Blocks that are left after that leave no trace: a forked child does this with its parent's
        table, whose lock may be held by a thread that the child does not have.
        """
        self._lock = threading.RLock()
        self._slots.clear()
        self._scopes.clear()
        self._words.release()
        self._mapping.close()
        os.close(self._fd)

    def _take_over(self, block: expires, held: expires | _Acquired | int | None) -> int:
        """Return the word for a block whose scope has no parked slot."""
        held = held or self._take(block.scope_id, claim=True)
        assert held is not None
        if isinstance(held, int):
            return held
        if isinstance(held, _Acquired):
            self._words[held.slot + 1] = 0.0
        else:
            block.outer = held
        return held.slot

    def _leave(self, block: expires, held: expires | _Acquired | int | None) -> None:
        """Leave a block that is not alone in its scope; ``held`` was taken out of the scopes."""
        if held is None:
            return  # the table was closed
        if held is block:
            held = block.outer or block.slot
            if isinstance(held, int):
                self._clear(held)
            else:
                self._store(held, monotonic() + held.after)
        elif isinstance(held, int):
            self._clear(held)  # it is clear, unless this was found by _wait_for
        elif not isinstance(held, _Acquired):
            unlink(block, held)
        self._scopes[block.scope_id] = held
        if not isinstance(held, int):
            self._tell(held.deadline)

    def _store(self, holder: expires | _Acquired, deadline: float) -> None:
        # Only positive deadlines are armed; one before the host was started is long over.
        holder.deadline = self._words[holder.slot] = deadline if deadline > 0 else _LONG_OVER

    def _clear(self, word: int) -> None:
        self._words[word + 1] = 0.0
        self._words[word] = -abs(self._words[word])

    def _tell(self, deadline: float) -> None:
        bound = self._words[BOUND]
        if deadline < bound or monotonic() >= bound:
            self._ring()

    def _take(self, scope_id: str, claim: bool = False) -> expires | _Acquired | int | None:
        """Take out what stands for a scope; the caller puts in what comes after it.

        With ``claim``, a scope that has no slot gets one, and there is always something.
        """
        while True:
            held = self._scopes.pop(scope_id, None) or self._wait_for(scope_id)
            if held is not None or not claim:
                return held
            with self._lock:
                if scope_id not in self._slots:
                    word = self._claim(scope_id)
                    # A signal handler may have been faster. Its slot is as good as this one.
                    if self._slots.setdefault(scope_id, word) == word:
                        return word
                    self._spare.append(word)

    def _wait_for(self, scope_id: str) -> expires | _Acquired | int | None:
        """Take out what stands for a scope when whoever has taken it out has put it back.

        That is a matter of microseconds, for which one cannot wait in a signal handler that
        interrupts it; and an exception that was raised just there (KeyboardInterrupt) leaves
        nothing to wait for. Then the slot is the caller's: what it stores is what comes first,
        before what was interrupted. ``None`` if the scope has no slot.
        """
        end = monotonic() + (0.0 if _is_in_signal_handler() else _PATIENCE)
        while scope_id in self._slots:
            held = self._scopes.pop(scope_id, None)
            if held is None and monotonic() >= end:
                held = self._slots.get(scope_id)
            if held is not None:
                return held
            sleep(0)
        return None

    def _claim(self, scope_id: str) -> int:
        """Return the word of a slot that is given to ``scope_id``."""
        scope = scope_id.encode("utf-8", "surrogatepass")
        if len(scope) > MAX_SCOPE_BYTES:
            raise RequestTooLargeError(
                f"the scope takes {len(scope)} bytes and a table holds at most {MAX_SCOPE_BYTES}: "
                f"use a shorter one than {scope_id[:40]!r}…"
            )
        word = self._take_parked_slot() or self._take_new_slot()
        record = struct.pack("=H", len(scope)) + scope
        os.pwrite(self._fd, record, SCOPES_AT + (word - FIRST_SLOT) // 2 * SCOPE_STRIDE)
        self._words[USED] = self._used
        return word

    def _take_parked_slot(self) -> int | None:
        # Parked slots are kept for their scopes while that costs nothing, then taken in order.
        if self._used % _GROWTH != 0:
            return None
        if self._spare:
            return self._spare.pop()
        for scope_id, word in list(self._scopes.items()):
            if not isinstance(word, int) or self._slots.pop(scope_id, None) is None:
                continue
            held = self._scopes.pop(scope_id, None)
            if isinstance(held, int):
                return held
            # Somebody has come back to it meanwhile.
            self._slots[scope_id] = word
            if held is not None:
                self._scopes[scope_id] = held
        return None

    def _take_new_slot(self) -> int:
        if self._used == MAX_SLOTS:
            raise TooManyTimersError(
                f"{MAX_SLOTS} timers are armed at the same time in this process; are blocks "
                "entered and never left?"
            )
        if self._used == self._reserved:
            end = self._used + _GROWTH
            self._reserve(8 * (FIRST_SLOT + 2 * self._used), 16 * _GROWTH)
            self._reserved = max(self._reserved, end)
        # A signal handler that needs a slot runs before or after these two lines.
        slot = self._used
        self._used = slot + 1
        return FIRST_SLOT + 2 * slot

    def _reserve(self, offset: int, length: int) -> None:
        os.posix_fallocate(self._fd, offset, length)


class _Acquired:
    """Holds the slot of a timer that was acquired outside of any block."""

    __slots__ = ("deadline", "slot")

    def __init__(self, word: int) -> None:
        self.slot = word
        self.deadline = 0.0


_OPERATIONS = frozenset(
    method.__code__
    for method in (
        WorkerTable.arm,
        WorkerTable.disarm,
        WorkerTable.enter_block,
        WorkerTable.leave_block,
    )
)


def _is_in_signal_handler() -> bool:
    """Whether this operation interrupts another one in the same thread."""
    operations = 0
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and operations < 2:
        operations += frame.f_code in _OPERATIONS
        frame = frame.f_back
    return operations > 1

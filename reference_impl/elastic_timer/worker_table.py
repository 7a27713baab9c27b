"""The worker's side of its table in shared memory; see :mod:`elastic_timer.shared_table`."""

from __future__ import annotations

import math
import os
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
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
    MAX_SCOPE_BYTES,
    MAX_SLOTS,
    SCOPE_STRIDE,
    SCOPES_AT,
    USED,
    make_table,
    table_name,
)
from .slot import Acquired, Holders, Lent, Slot, parked
from .worker import WorkerId

if TYPE_CHECKING:
    from .expires import expires

__all__ = ["WorkerTable"]

_LONG_OVER = math.ulp(0.0)
"""The deadline that stands for every one that was over before the host was started."""

_PATIENCE = 1.0
"""Seconds after which a holder that somebody has taken out is given up: a thread that waits for its
turn to run, with all processors busy, puts it back sooner."""

_PATIENCE_IN_HANDLER = 0.02
"""Seconds after which a signal handler takes it that a holder was taken out by what it interrupts,
and not by a thread: four times as long as a thread waits for its turn while another one runs."""

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
        self._fd, self._mapping = make_table(unfinished)
        self._words = memoryview(self._mapping).cast("d")
        self._words[0] = FORMAT
        self._words[BOUND] = math.inf
        self._slots: dict[str, tuple[int, Holders]] = {}  # of the scopes that have one
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
        (word, holders), held = self._take(scope_id)
        holder = held or Acquired()
        if isinstance(holder, Acquired):
            is_lent = isinstance(holders, Lent)
            self._words[word + 1] = 0.0 if is_lent else expiration_time or -0.0
        self._put_in((word, holders), holder, expiration_time.monotonic)

    def disarm(self, scope_id: str) -> None:
        """Store that a timer is released; nothing happens if it is not armed."""
        slot = self._slots.get(scope_id)
        if slot is not None:
            with suppress(LookupError):
                (word, holders), _ = self._take_out(scope_id, slot)
                self._clear(word)
                holders.append(None)

    def enter_block(self, block: expires) -> None:
        """Arm the timer of a block that is entered; raises what :meth:`arm` does."""
        # Spelt out, since this is the path that every guarded block takes.
        try:
            block.slot = word, holders = self._slots[block.scope_id]
            held = holders.pop()
        except LookupError:
            block.slot, held = self._take(block.scope_id)
            word, holders = block.slot
        block.outer = None if held is None else self._around(word, held)
        now = monotonic()
        deadline = now + block.after
        if deadline <= 0.0:
            deadline = _LONG_OVER
        words = self._words
        words[word] = block.deadline = deadline
        holders.append(block)  # see _put_in
        if not now < words[BOUND] <= deadline:
            self._ring()

    def leave_block(self, block: expires) -> None:
        """Disarm the timer of a block that is left, or arm it again for the block around it."""
        word, holders = block.slot
        try:
            held = holders.pop()
        except IndexError:
            self._leave_taken(block)
            return
        if held is block and block.outer is None:
            self._words[word] = -block.deadline
            holders.append(None)
        else:
            self._leave(block, held)

    def close(self) -> None:
        """Give the memory and the descriptor back; the file stays, and so do its timers.

        Blocks that are left after that leave no trace: a forked child does this with its parent's
        table, whose lock may be held by a thread that the child does not have.
        """
        self._lock = threading.RLock()
        for _, holders in self._slots.values():
            holders.clear()
        self._slots.clear()
        self._words.release()
        self._mapping.close()
        os.close(self._fd)

    def _around(self, word: int, held: expires | Acquired) -> expires | None:
        """Return the block around one that takes a timer over."""
        if isinstance(held, Acquired):
            self._words[word + 1] = 0.0
            return None
        return held

    def _leave(self, block: expires, held: expires | Acquired | None) -> None:
        """Leave a block that is not alone in its scope; ``held`` was taken out."""
        word, holders = block.slot
        if held is block:
            held = block.outer
            if held is not None:
                self._put_in(block.slot, held, monotonic() + held.after)
        elif held is not None:
            if not isinstance(held, Acquired):
                unlink(block, held)
            # Stored anew, because a signal handler may have released it meanwhile.
            self._put_in(block.slot, held, held.deadline)
        if held is None:
            self._clear(word)
            holders.append(None)

    def _leave_taken(self, block: expires) -> None:
        """Leave a block whose scope somebody else is at."""
        with suppress(LookupError):  # the table was closed
            block.slot, held = self._take_out(block.scope_id, block.slot)
            self._leave(block, held)

    def _put_in(self, slot: Slot, holder: expires | Acquired, deadline: float) -> None:
        """Arm a timer that is the caller's, and tell the server if that is the earliest."""
        word, holders = slot
        # Only positive deadlines are armed; one before the host was started is long over.
        deadline = deadline if deadline > 0 else _LONG_OVER
        # Stored first, or another thread might take the holder out and store first. Between the
        # two there is no call, and so no signal handler, which would release the timer.
        holder.deadline = self._words[word] = deadline
        holders.append(holder)
        bound = self._words[BOUND]
        if deadline < bound or monotonic() >= bound:
            self._ring()

    def _clear(self, word: int) -> None:
        self._words[word + 1] = 0.0
        self._words[word] = -abs(self._words[word])

    def _take(self, scope_id: str) -> tuple[Slot, expires | Acquired | None]:
        """Return a scope's slot, which it gets if it has none, with its holder taken out."""
        while True:
            slot = self._slots.get(scope_id) or self._give_slot(scope_id)
            with suppress(LookupError):
                return self._take_out(scope_id, slot)

    def _take_out(self, scope_id: str, slot: Slot) -> tuple[Slot, expires | Acquired | None]:
        """Take the holder out of a slot, when whoever has taken it out has put one back.

        That is a matter of microseconds, but in vain in a signal handler that interrupts it. What
        such a handler stores comes first, before what it interrupts: it is lent the slot. And an
        exception that was raised just there (KeyboardInterrupt) leaves nothing to wait for: then
        the slot is the caller's.

        Raises:
            LookupError: the scope does not have this slot any more.
        """
        is_in_handler = _is_in_signal_handler()
        end = monotonic() + (_PATIENCE_IN_HANDLER if is_in_handler else _PATIENCE)
        word, holders = slot
        shared = holders.slot if isinstance(holders, Lent) else slot
        while True:
            with suppress(IndexError):
                return slot, holders.pop()
            if self._slots.get(scope_id) is not shared:
                raise LookupError(scope_id)
            if monotonic() >= end:
                return (word, Lent(shared)) if is_in_handler else slot, None
            sleep(0)

    def _give_slot(self, scope_id: str) -> tuple[int, Holders]:
        with self._lock:
            slot = self._slots.get(scope_id)
            if slot is None:
                word = self._claim(scope_id)
                # A signal handler may have been faster. Its slot is as good as this one.
                slot = self._slots.setdefault(scope_id, parked(word))
                if slot[0] != word:
                    self._spare.append(word)
            return slot

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
        for scope_id, (word, holders) in list(self._slots.items()):
            try:
                holders.remove(None)
            except ValueError:
                continue  # somebody holds it, or is at it
            slot = self._slots.pop(scope_id)
            if not holders:
                return word
            # A signal handler was lent it meanwhile, and has acquired the timer.
            self._slots.setdefault(scope_id, slot)
        return None

    def _take_new_slot(self) -> int:
        if self._used == MAX_SLOTS:
            raise TooManyTimersError(
                f"{MAX_SLOTS} timers are armed at the same time in this process; are blocks "
                "entered and never left?"
            )
        if self._used == self._reserved:
            end = self._used + _GROWTH
            start = 8 * (FIRST_SLOT + 2 * self._used)
            os.posix_fallocate(self._fd, start, 16 * _GROWTH)
            self._reserved = max(self._reserved, end)
        # A signal handler that needs a slot runs before or after these two lines.
        slot = self._used
        self._used = slot + 1
        return FIRST_SLOT + 2 * slot


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

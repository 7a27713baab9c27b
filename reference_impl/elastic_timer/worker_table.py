"""The worker's side of its table in shared memory; see :mod:`elastic_timer.shared_table`."""

from __future__ import annotations

import math
import mmap
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
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
        # A slot belongs to a scope while it is armed, and is parked under it afterwards: claimed
        # again by the same scope without a system call, or by another one when none is left. It is
        # held by the innermost block of the scope, or by an acquire() outside of any block.
        self._holders: dict[str, expires | _Acquired] = {}
        self._parked: dict[str, int] = {}
        self._used = 0
        self._reserved = 0
        self._lock = threading.RLock()
        os.rename(unfinished, path)  # the server never sees one that is half made

    def arm(self, scope_id: str, expiration_time: Instant) -> None:
        """Store a timer's deadline, and tell the server if that is the earliest.

        Raises:
            RequestTooLargeError: the scope is longer than :data:`MAX_SCOPE_BYTES` in UTF-8.
            TooManyTimersError: :data:`MAX_SLOTS` timers are armed already.
            OSError: the file system is full.
        """
        with self._lock:
            holder = self._holders.get(scope_id)
            if holder is None:
                holder = self._holders[scope_id] = _Acquired(self._claim(scope_id))
            if holder.block is None:
                self._words[holder.word + 1] = expiration_time or -0.0
            self._store(holder.word, expiration_time.monotonic)

    def disarm(self, scope_id: str) -> None:
        """Store that a timer is released; nothing happens if it is not armed."""
        with self._lock:
            holder = self._holders.pop(scope_id, None)
            if holder is not None:
                self._words[holder.word + 1] = 0.0
                self._words[holder.word] = -self._words[holder.word]
                self._parked[scope_id] = holder.word

    def enter_block(self, block: expires) -> None:
        """Arm the timer of a block that is entered; raises what :meth:`arm` does."""
        words = self._words
        scope_id = block.scope_id
        with self._lock:
            holder = self._holders.get(scope_id)
            if holder is None:
                word = self._parked.pop(scope_id, 0) or self._claim(scope_id)
                block.outer = None
            else:
                word = holder.word
                block.outer = holder.block
                words[word + 1] = 0.0
            block.word = word
            self._holders[scope_id] = block
            # As in _store, spelt out: this is the path that every guarded block takes.
            now = monotonic()
            deadline = now + block.after
            words[word] = deadline if deadline > 0 else _LONG_OVER
            if not now < words[BOUND] <= deadline:
                self._ring()

    def leave_block(self, block: expires) -> None:
        """Disarm the timer of a block that is left, or arm it again for the block around it."""
        scope_id = block.scope_id
        with self._lock:
            holder = self._holders.get(scope_id)
            if holder is block:
                word = block.word
                if block.outer is None:
                    del self._holders[scope_id]
                    self._words[word] = -self._words[word]
                    self._parked[scope_id] = word
                else:
                    self._holders[scope_id] = block.outer
                    self._store(word, monotonic() + block.outer.after)
            elif holder is not None and holder.block is not None:
                unlink(block, holder.block)

    def close(self) -> None:
        """Give the memory and the descriptor back; the file stays, and so do its timers.

        Blocks that are left after that leave no trace: a forked child does this with its parent's
        table, whose lock may be held by a thread that the child does not have.
        """
        self._lock = threading.RLock()
        self._holders.clear()
        self._words.release()
        self._mapping.close()
        os.close(self._fd)

    def _store(self, word: int, deadline: float) -> None:
        # Only positive deadlines are armed; one before the host was started is long over.
        self._words[word] = deadline if deadline > 0 else _LONG_OVER
        if not monotonic() < self._words[BOUND] <= deadline:
            self._ring()

    def _claim(self, scope_id: str) -> int:
        """Return the word of a slot that is given to ``scope_id``."""
        if scope_id in self._parked:
            return self._parked.pop(scope_id)
        scope = scope_id.encode("utf-8", "surrogatepass")
        if len(scope) > MAX_SCOPE_BYTES:
            raise RequestTooLargeError(
                f"the scope takes {len(scope)} bytes and a table holds at most {MAX_SCOPE_BYTES}: "
                f"use a shorter one than {scope_id[:40]!r}…"
            )
        slot = self._take_parked_slot()
        if slot is None:
            slot = self._take_new_slot()
        record = struct.pack("=H", len(scope)) + scope
        os.pwrite(self._fd, record, SCOPES_AT + slot * SCOPE_STRIDE)
        self._words[USED] = self._used
        return FIRST_SLOT + 2 * slot

    def _take_parked_slot(self) -> int | None:
        # Parked slots are kept for their scopes while that costs nothing, then taken in order. A
        # signal handler that interrupts this may take one first.
        if self._used % _GROWTH == 0:
            for scope_id in list(self._parked):
                word = self._parked.pop(scope_id, None)
                if word is not None:
                    return (word - FIRST_SLOT) // 2
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
        return slot

    def _reserve(self, offset: int, length: int) -> None:
        os.posix_fallocate(self._fd, offset, length)


class _Acquired:
    """Holds the slot of a timer that was acquired outside of any block."""

    __slots__ = ("word",)

    block = None

    def __init__(self, word: int) -> None:
        self.word = word

"""One worker's timers in shared memory: a table in a file that the worker and its server map.

The worker stores a deadline into a slot to acquire a timer, and its negative to release it. No
lock is shared with the server, nothing is sent, and nothing is lost when either side dies: the
table is the state itself, not a message about it.

The worker tells the server of a deadline only if it is earlier than the *bound* that the server
left in the table, which is the time at which the server will look into the table by itself: the
earliest deadline that it saw there, also of a timer that was released, since a loop will acquire
it again for later. Such a loop therefore makes no system call, however often it goes round.

Layout, in 8-byte floats of the machine: word 0 the format's number, 1 the bound, 2 the number of
slots that were ever used; from word 512 on, two words a slot: the deadline (negative when it was
released) and the expiration time (0 where it was not given and follows from the deadline). From
:data:`_SCOPES_AT` on, one scope a slot: its length in bytes as two bytes, and its UTF-8. Aligned
words are read and written whole by every processor that CPython runs on; the server reads a word
that it acts on twice all the same.
"""

from __future__ import annotations

import itertools
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
from .clock import SYSTEM_CLOCK, Clock, Instant
from .errors import RequestTooLargeError, TooManyTimersError
from .worker import WorkerId

if TYPE_CHECKING:
    from .expires import expires

__all__ = ["MAX_SCOPE_BYTES", "MAX_SLOTS", "MalformedTableError", "TableReader", "WorkerTable"]

_FORMAT = 1.0
_BOUND, _USED = 1, 2
_FIRST_SLOT = 512

MAX_SLOTS = 1 << 16
"""Timers that a worker may have armed at one time; far more than code can be inside of."""

MAX_SCOPE_BYTES = 4094
"""Bytes of UTF-8 that a scope may have, so that a scope fills one page with its length."""

_SCOPE_STRIDE = MAX_SCOPE_BYTES + 2
_MAPPED = 8 * (_FIRST_SLOT + 2 * MAX_SLOTS)
_SCOPES_AT = _MAPPED
_LONG_OVER = math.ulp(0.0)
"""The deadline that stands for every one that was over before the host was started."""

_GROWTH = 64
"""Slots whose memory is reserved at a time: it must be there before it is mapped and written, or
a full file system would be a SIGBUS in the worker instead of an error."""


class MalformedTableError(ValueError):
    """A file is no table; it is reported and left alone (QUEUE-MALFORMED)."""


def table_name(worker_id: WorkerId) -> str:
    """Return the name of a worker's table: no two processes ever have the same one."""
    return f"{int(worker_id)}.{worker_id.start_time}.timers"


def worker_of(name: str) -> WorkerId | None:
    """Return whose table a file is by its name, or ``None`` if it is no table."""
    pid, _, rest = name.partition(".")
    started, _, kind = rest.partition(".")
    if kind != "timers" or not (pid.isdecimal() and started.isdecimal()):
        return None
    return WorkerId(int(pid), int(started))


class WorkerTable:
    """The worker's side: creates the table of one process, and stores into it.

    Safe from many threads, and from a signal handler that interrupts one of them.

    Args:
        directory: where the tables are.
        worker_id: whose table it is.
        ring: tells the server that a deadline is earlier than the bound.

    Raises:
        OSError: the directory is not there, or its file system is full.
    """

    def __init__(self, directory: Path, worker_id: WorkerId, ring: Callable[[], object]) -> None:
        self._ring = ring
        path = directory / table_name(worker_id)
        unfinished = directory / f".{path.name}"
        self._fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.truncate(self._fd, _MAPPED)
        self._reserve(0, 8 * _FIRST_SLOT)
        self._mapping = mmap.mmap(self._fd, _MAPPED)
        self._words = memoryview(self._mapping).cast("d")
        self._words[0] = _FORMAT
        self._words[_BOUND] = math.inf
        # A slot belongs to a scope while it is armed, and is parked under it afterwards: claimed
        # again by the same scope without a system call, or by another one when none is left. It is
        # held by the innermost block of the scope, or by an acquire() outside of any block.
        self._holders: dict[str, expires | _Acquired] = {}
        self._parked: dict[str, int] = {}
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
                self._words[holder.word + 1] = expiration_time
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
            deadline = monotonic() + block.after
            words[word] = deadline if deadline > 0 else _LONG_OVER
            if deadline < words[_BOUND]:
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
        if deadline < self._words[_BOUND]:
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
        slot = int(self._words[_USED])
        # Parked slots are kept for their scopes while that costs nothing, then taken in order.
        if self._parked and slot % _GROWTH == 0 and slot > 0:
            word = self._parked.pop(next(iter(self._parked)))
            slot = (word - _FIRST_SLOT) // 2
        elif slot == MAX_SLOTS:
            raise TooManyTimersError(
                f"{MAX_SLOTS} timers are armed at the same time in this process; are blocks "
                "entered and never left?"
            )
        else:
            if slot == self._reserved:
                self._reserve(8 * (_FIRST_SLOT + 2 * slot), 16 * _GROWTH)
                self._reserved += _GROWTH
        record = struct.pack("=H", len(scope)) + scope
        os.pwrite(self._fd, record, _SCOPES_AT + slot * _SCOPE_STRIDE)
        self._words[_USED] = max(self._words[_USED], slot + 1)
        return _FIRST_SLOT + 2 * slot

    def _reserve(self, offset: int, length: int) -> None:
        os.posix_fallocate(self._fd, offset, length)


class _Acquired:
    """Holds the slot of a timer that was acquired outside of any block."""

    __slots__ = ("word",)

    block = None

    def __init__(self, word: int) -> None:
        self.word = word


class TableReader:
    """The server's side: tells what has changed in a worker's table since it last looked.

    Args:
        path: the table's file.
        clock: tells the expiration time that follows from a deadline.

    Raises:
        MalformedTableError: the file is no table.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        worker_id = worker_of(path.name)
        if worker_id is None:
            raise MalformedTableError(f"{path.name!r} is not the name of a table")
        self.worker_id = worker_id
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if os.fstat(self._fd).st_size < _MAPPED:
                raise MalformedTableError(f"{path} is too short for a table")
            self._mapping = mmap.mmap(self._fd, _MAPPED)
        except BaseException:
            os.close(self._fd)
            raise
        self._words = memoryview(self._mapping).cast("d")
        if self._words[0] != _FORMAT:
            self.close()
            raise MalformedTableError(f"{path} has another format")
        self._deadlines: list[float] = []
        self._dropped: list[float] = []
        self._scopes: list[str] = []

    def close(self) -> None:
        """Give the memory and the descriptor back."""
        self._words.release()
        self._mapping.close()
        os.close(self._fd)

    def unbound(self) -> None:
        """Have the worker tell of every deadline from now on, since the table is to be read."""
        self._words[_BOUND] = math.inf

    def bind(self, now: float) -> float:
        """Leave as the bound when the table has to be looked into again, and return that time.

        Args:
            now: the monotonic time before :meth:`changes` was called. The deadline of a released
                timer counts until it is over.
        """
        deadlines = (d if d > 0 else -d for d in self._deadlines if d > 0 or -d > now)
        bound = min(deadlines, default=math.inf)
        self._words[_BOUND] = bound
        return bound

    def changes(self) -> list[tuple[str, Instant | None]]:
        """Return what changed since the last call, as pairs of a scope and its expiration time.

        The time is ``None`` for a timer that was released. A timer that went through several
        changes is told once, as it is now.
        """
        used = int(self._words[_USED])
        if not 0 <= used <= MAX_SLOTS:
            raise MalformedTableError(f"the table of worker {self.worker_id} is damaged")
        seen = self._deadlines
        seen += [0.0] * (used - len(seen))
        self._scopes += [""] * (used - len(self._scopes))
        now = self._words[_FIRST_SLOT : _FIRST_SLOT + 2 * used : 2].tolist()
        if now == seen:
            return []
        released: list[tuple[str, Instant | None]] = []
        acquired: list[tuple[str, Instant | None]] = []
        for slot, before in enumerate(seen):
            if now[slot] == before:
                continue
            deadline, expiration, scope = self._read_slot(slot)
            if before > 0 and (deadline <= 0 or scope != self._scopes[slot]):
                released.append((self._scopes[slot], None))
            if deadline > 0:
                acquired.append((scope, self._instant(expiration, deadline)))
            seen[slot] = deadline
            self._scopes[slot] = scope
        return released + acquired

    def drop(self) -> None:
        """Take the timers that were seen for dealt with, until the worker acquires them anew."""
        self._dropped = self._deadlines.copy()

    def armed(self) -> list[tuple[str, Instant]]:
        """Return the scope and the expiration time of every timer that is armed now."""
        slots = map(self._read_slot, range(int(self._words[_USED])))
        compared = itertools.zip_longest(slots, self._dropped)
        return [(s[2], self._instant(s[1], s[0])) for s, d in compared if 0 < s[0] != d]

    def _instant(self, expiration: float, deadline: float) -> Instant:
        """Return the instant of a deadline, with the expiration time if that was given."""
        if expiration == 0.0:
            expiration = max(0.0, self._clock.time() + deadline - self._clock.monotonic())
        return Instant(expiration, deadline)

    def _read_slot(self, slot: int) -> tuple[float, float, str]:
        """Read a slot as it was at one moment: what is read twice alike was not being changed."""
        word = _FIRST_SLOT + 2 * slot
        while True:
            deadline, expiration = self._words[word], self._words[word + 1]
            if not math.isfinite(deadline + expiration):
                raise MalformedTableError(f"the table of worker {self.worker_id} is damaged")
            if deadline <= 0:
                return deadline, expiration, ""
            record = os.pread(self._fd, _SCOPE_STRIDE, _SCOPES_AT + slot * _SCOPE_STRIDE)
            if (self._words[word], self._words[word + 1]) == (deadline, expiration):
                break
        (length,) = struct.unpack_from("=H", record)
        return deadline, expiration, record[2 : 2 + length].decode("utf-8", "surrogatepass")

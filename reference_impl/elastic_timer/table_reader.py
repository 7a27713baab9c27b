"""The server's side of a worker's table in shared memory; see :mod:`elastic_timer.shared_table`."""

from __future__ import annotations

import itertools
import math
import os
import stat
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from .clock import SYSTEM_CLOCK, Clock, Instant
from .shared_table import (
    BOUND,
    FIRST_SLOT,
    FORMAT,
    MAPPED,
    MAX_SLOTS,
    SCOPE_STRIDE,
    SCOPES_AT,
    USED,
    MalformedTableError,
    worker_of,
)

__all__ = ["TableReader"]


class TableReader:
    """The server's side: tells what has changed in a worker's table since it last looked.

    It reads the file rather than mapping it: whoever cut a mapped file short would end the server
    by SIGBUS. A timer that is damaged counts as released, since nobody can tell whether it was;
    the others are not affected, and when it is acquired anew it is whole again.

    Args:
        path: the table's file.
        clock: tells the expiration time that follows from a deadline.
        on_damage: is told of each kind of damage once.

    Raises:
        MalformedTableError: the file is no table.
        OSError: it cannot be opened; all methods raise it when the file system fails.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock = SYSTEM_CLOCK,
        on_damage: Callable[[MalformedTableError], object] = lambda damage: None,
    ) -> None:
        worker_id = worker_of(path.name)
        if worker_id is None:
            raise MalformedTableError(f"{path.name!r} is not the name of a table")
        self.worker_id = worker_id
        self.path = path
        self._clock = clock
        self._on_damage = on_damage
        self._reported: set[str] = set()
        self._deadlines: list[float] = []
        self._dropped: list[float] = []
        self._scopes: list[str] = []
        # Without O_NONBLOCK, a pipe of this name would be waited for.
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            status = os.fstat(self._fd)
            if not stat.S_ISREG(status.st_mode):
                raise MalformedTableError(f"{path} is not a file")
            if status.st_size < MAPPED:
                raise MalformedTableError(f"{path} is too short for a table")
            if self._words(0, 1) != [FORMAT]:
                raise MalformedTableError(f"{path} has another format")
        except BaseException:
            os.close(self._fd)
            raise

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)

    def unbound(self) -> None:
        """Have the worker tell of every deadline from now on, since the table is to be read."""
        self._write_bound(math.inf)

    def bind(self, now: float) -> float:
        """Leave as the bound when the table has to be looked into again, and return that time.

        Args:
            now: the monotonic time before :meth:`changes` was called. The deadline of a timer that
                was released or dropped counts until it is over.
        """
        bound = math.inf
        for deadline, dropped in itertools.zip_longest(self._deadlines, self._dropped):
            is_armed = deadline > 0 and deadline != dropped
            if is_armed or abs(deadline) > now:
                bound = min(bound, abs(deadline))
        self._write_bound(bound)
        return bound

    def changes(self) -> list[tuple[str, Instant | None]]:
        """Return what changed since the last call, as pairs of a scope and its expiration time.

        The time is ``None`` for a timer that was released. A timer that went through several
        changes is told once, as it is now.
        """
        seen = self._deadlines
        used = max(self._used(), len(seen))
        seen += [0.0] * (used - len(seen))
        self._scopes += [""] * (used - len(self._scopes))
        now = self._words(FIRST_SLOT, 2 * used)[::2]
        if now == seen:
            return []
        released: list[tuple[str, Instant | None]] = []
        acquired: list[tuple[str, Instant | None]] = []
        # Read first, so that nothing is taken for told if the file system fails half-way.
        differing = [slot for slot in range(used) if now[slot] != seen[slot]]
        for slot, read in [(slot, self._read_slot(slot)) for slot in differing]:
            deadline, expiration, scope = read
            before = seen[slot]
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
        found = []
        for slot in range(max(self._used(), len(self._deadlines))):
            deadline, expiration, scope = self._read_slot(slot)
            is_dropped = slot < len(self._dropped) and deadline == self._dropped[slot]
            if deadline > 0 and not is_dropped:
                found.append((scope, self._instant(expiration, deadline)))
        return found

    def _instant(self, expiration: float, deadline: float) -> Instant:
        """Return the instant of a deadline, with the expiration time if that was given."""
        if expiration == 0.0 and math.copysign(1.0, expiration) > 0:
            expiration = max(0.0, self._clock.time() + deadline - self._clock.monotonic())
        return Instant(expiration, deadline)

    def _used(self) -> int:
        """Return how many slots have to be read: all there can be, if that is not to be known."""
        (used,) = self._words(USED, 1)
        if 0 <= used <= MAX_SLOTS:
            return int(used)
        self._report(f"says that {used!r} slots were used")
        return MAX_SLOTS

    def _read_slot(self, slot: int) -> tuple[float, float, str]:
        """Read a slot as it was at one moment: what is read twice alike was not being changed."""
        words = self._words(FIRST_SLOT + 2 * slot, 2)
        while True:
            deadline, expiration = words
            if not deadline < math.inf:
                self._report(f"has a deadline that is no time, {deadline!r}")
                return 0.0, 0.0, ""
            if deadline <= 0:
                return deadline, expiration, ""
            record = os.pread(self._fd, SCOPE_STRIDE, SCOPES_AT + slot * SCOPE_STRIDE)
            again = self._words(FIRST_SLOT + 2 * slot, 2)
            if again[0] == deadline and (again == words or not math.isfinite(expiration)):
                break
            words = again
        if not 0 <= expiration < math.inf:
            self._report(f"has an expiration time that is none, {expiration!r}")
            expiration = 0.0
        return deadline, expiration, self._text(record)

    def _text(self, record: bytes) -> str:
        length = int.from_bytes(record[:2], sys.byteorder)
        scope = record[2 : 2 + length]
        try:
            return scope.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            self._report(f"has a scope that is no text: {error}")
            return scope.decode("utf-8", "replace")

    def _words(self, first: int, count: int) -> list[float]:
        """Read words of the table; those that the file does not have any more are zeros."""
        data = os.pread(self._fd, 8 * count, 8 * first)
        if len(data) < 8 * count:
            self._report("has been cut short")
            data += bytes(8 * count - len(data))
        words: list[float] = list(memoryview(data).cast("d"))
        return words

    def _write_bound(self, bound: float) -> None:
        os.pwrite(self._fd, struct.pack("=d", bound), 8 * BOUND)

    def _report(self, damage: str) -> None:
        # One kind of damage to many slots, with many values, is one thing to be told.
        kind = damage.partition(",")[0].partition(":")[0]
        if kind not in self._reported:
            self._reported.add(kind)
            self._on_damage(
                MalformedTableError(f"the table of worker {self.worker_id} is damaged: it {damage}")
            )

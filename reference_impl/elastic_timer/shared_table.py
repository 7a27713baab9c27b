"""One worker's timers in shared memory: a table in a file that the worker and its server map.

The worker stores a deadline into a slot to acquire a timer, and its negative to release it. No
lock is shared with the server, nothing is sent, and nothing is lost when either side dies: the
table is the state itself, not a message about it.

The worker tells the server of a deadline only if it is earlier than the *bound* that the server
left in the table, which is the time at which the server will look into the table by itself: the
earliest deadline that it saw there, also of a timer that was released, since a loop will acquire
it again for later. Such a loop therefore makes no system call, however often it goes round.

Once the bound has passed, the server is late or away, and the worker rings whatever the deadline:
so it notices when nobody can come back to this table any more.

Layout, in 8-byte floats of the machine: word 0 the format's number, 1 the bound, 2 the number of
slots that were ever used; from word 512 on, two words a slot: the deadline (negative when it was
released) and the expiration time (0 where it was not given and follows from the deadline; the epoch
itself is -0). From :data:`SCOPES_AT` on, one scope a slot: its length in bytes as two bytes, and
its UTF-8. Aligned words are read and written whole by every processor that CPython runs on; the
server reads a word that it acts on twice all the same.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from .worker import WorkerId

__all__ = [
    "BOUND",
    "FIRST_SLOT",
    "FORMAT",
    "MAPPED",
    "MAX_SCOPE_BYTES",
    "MAX_SLOTS",
    "SCOPES_AT",
    "SCOPE_STRIDE",
    "USED",
    "MalformedTableError",
    "make_table",
    "table_name",
    "worker_of",
]

FORMAT = 1.0
BOUND, USED = 1, 2
FIRST_SLOT = 512

MAX_SLOTS = 1 << 16
"""Timers that a worker may have armed at one time; far more than code can be inside of."""

MAX_SCOPE_BYTES = 4094
"""Bytes of UTF-8 that a scope may have, so that a scope fills one page with its length."""

SCOPE_STRIDE = MAX_SCOPE_BYTES + 2
MAPPED = 8 * (FIRST_SLOT + 2 * MAX_SLOTS)
SCOPES_AT = MAPPED


class MalformedTableError(ValueError):
    """A file is no table; it is reported and left alone (QUEUE-MALFORMED)."""


def make_table(path: Path) -> tuple[int, mmap.mmap]:
    """Make the file of a table, all zeros, and map its words.

    Returns:
        The file's descriptor, and the mapping.

    Raises:
        OSError: there is no such directory, or no room in it; nothing is left behind.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.truncate(fd, MAPPED)
        # Memory that is not there would be a SIGBUS when it is written to.
        os.posix_fallocate(fd, 0, 8 * FIRST_SLOT)
        return fd, mmap.mmap(fd, MAPPED)
    except OSError:
        os.close(fd)
        path.unlink()
        raise


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

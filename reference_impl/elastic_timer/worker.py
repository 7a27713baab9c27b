"""Who a worker is: a process, not a number.

A pid is given to another process once its owner is gone, so a pid alone does not say who is meant.
A pid together with the time at which its process started does: two processes with one pid cannot
have started in the same clock tick unless pids wrap around within it.
"""

from __future__ import annotations

import os
from typing import final

__all__ = ["GONE", "UNKNOWN", "WorkerId", "current_worker", "start_time"]

UNKNOWN = 0
"""The start time of a process about which this operating system does not tell."""

GONE = -1
"""The start time of a process that does not exist."""


@final
class WorkerId(int):
    """A worker's pid that also knows when the worker's process started.

    It is an ``int`` to all who know only pids, and it compares and hashes as its pid: at any time
    a pid belongs to one process at most.

    Args:
        pid: the process id, or a negative process-group id as in ``kill(2)``.
        start_time: clock ticks from boot to the start of the process; :data:`UNKNOWN` or
            :data:`GONE` otherwise.
    """

    start_time: int

    def __new__(cls, pid: int, start_time: int = UNKNOWN) -> WorkerId:
        worker_id = int.__new__(cls, pid)
        worker_id.start_time = start_time
        return worker_id

    def __reduce__(self) -> tuple[type[WorkerId], tuple[int, int]]:
        return WorkerId, (int(self), self.start_time)


def start_time(pid: int) -> int:
    """Return when the process ``pid`` started, in clock ticks since boot (field 22 of ``proc(5)``).

    Returns:
        :data:`GONE` if there is no such process, :data:`UNKNOWN` if this system does not tell.
    """
    try:
        with open(f"/proc/{pid:d}/stat", "rb") as stat:
            line = stat.read()
    except (FileNotFoundError, ProcessLookupError):
        return GONE if os.path.exists("/proc/self/stat") else UNKNOWN
    except OSError:
        return UNKNOWN
    # The second field, the program's name, may hold blanks and parentheses: count from its end.
    return int(line.rpartition(b")")[2].split()[19])


_current = WorkerId(GONE)


def current_worker() -> WorkerId:
    """Return the id of the calling process, its own also right after a fork (CLIENT-FORK)."""
    global _current
    pid = os.getpid()
    if _current != pid:
        _current = WorkerId(pid, start_time(pid))
    return _current

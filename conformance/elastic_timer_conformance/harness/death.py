"""Seeing a process die, to the moment, whether or not it is a child of one's own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import threading
import time
from pathlib import Path

__all__ = ["Death", "adopt_orphans", "adopted_status", "end_orphans"]

# From <linux/prctl.h>.
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of its descendants whose own parent dies.

    So the exit status of a worker is known even if its host was killed (see prctl(2)).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


class Death:
    """Waits for the end of one process, from the moment of construction on.

    `at` is the monotonic time at which the process was seen dead, None while it lives. A process
    descriptor is polled, so neither the process's parent nor its number is needed: the parent may
    be stopped, and the number may have been given to another process.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.at: float | None = None
        self._seen = threading.Event()
        try:
            self._descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            # It is dead and has been waited for by its parent since it was started.
            self._descriptor = -1
            self._mark()
            return
        threading.Thread(target=self._watch, name=f"death of {pid}", daemon=True).start()

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the end; return whether it has come."""
        return self._seen.wait(timeout)

    def signal(self, number: int) -> None:
        """Send a signal to this very process; do nothing if it has been waited for."""
        if self._descriptor >= 0 and self.at is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.poll()
        self._mark()

    def _mark(self) -> None:
        self.at = time.monotonic()
        self._seen.set()

    def __del__(self) -> None:
        # A descriptor may be closed only when its thread is done with it; the thread holds a
        # reference to this object for as long as it is not.
        if getattr(self, "_descriptor", -1) >= 0:
            os.close(self._descriptor)


def adopted_status(pid: int) -> int:
    """Return how an adopted process that is dead has ended: its exit status, -N by signal N.

    Raises ChildProcessError if nobody can know it any more.
    """
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def end_orphans(group: int) -> None:
    """Kill the adopted processes of a process group, except its leader, and their descendants.

    These are what a dead worker has left, for instance the child that it had forked.
    """
    while orphans := [pid for pid in _children() if pid != group and _group(pid) == group]:
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> list[int]:
    """Return the numbers of this process's children, adopted ones included (see proc(5))."""
    children: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            children += map(int, (task / "children").read_text().split())
    return children


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None

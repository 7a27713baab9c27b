"""Stopping a process as a debugger does, which is another stop than that of a signal."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

__all__ = ["DebuggerRefusedError", "held_by_debugger"]

# From <sys/ptrace.h> and, for a wait that sees threads and children alike, <linux/wait.h>.
PTRACE_DETACH = 17
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
WALL = 0x40000000


class DebuggerRefusedError(Exception):
    """The kernel does not let us debug a process; the message says why."""


@contextlib.contextmanager
def held_by_debugger(pid: int) -> Iterator[None]:
    """Hold a process's main thread by ptrace(2) inside of a `with` block.

    If the process dies meanwhile, its parent is told at the end of the block only.

    Raises:
        DebuggerRefusedError: it cannot be debugged.
    """
    _ptrace(PTRACE_SEIZE, pid)
    try:
        _ptrace(PTRACE_INTERRUPT, pid)
        os.waitpid(pid, WALL)
        yield
    finally:
        # One that was killed, or is being killed, cannot be detached from; it can be waited for.
        try:
            _ptrace(PTRACE_DETACH, pid)
        except DebuggerRefusedError:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, WALL)


def _ptrace(request: int, pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, pid, None, None) < 0:
        raise DebuggerRefusedError(os.strerror(ctypes.get_errno()))

"""An innocent process with the number of a dead one: the kernel is asked to give it out again.

Run as a script, it starts the process and ends it when its own standard input closes.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys

from elastic_timer_conformance.harness.death import Death

__all__ = ["PidSuccessor", "PidTakenError", "RefusedError"]

# From <asm/unistd.h>, the same on every architecture.
SYS_CLONE3 = 435


class PidTakenError(Exception):
    """Somebody else has been given the number by chance."""


class RefusedError(Exception):
    """The kernel does not let us choose a process's number; the message says why."""


class PidSuccessor:
    """A process that does nothing, under a number that another process had."""

    def __init__(self, pid: int) -> None:
        """Start it.

        Raises PidTakenError or RefusedError if that cannot be.
        """
        self._starter = subprocess.Popen(
            [sys.executable, "-m", __name__, str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p or "." for p in sys.path)},
            start_new_session=True,
        )
        assert self._starter.stdout is not None
        error = int(self._starter.stdout.readline())
        if error:
            self.close()
            if error == errno.EEXIST:
                raise PidTakenError(pid)
            raise RefusedError(f"clone3 with set_tid: {os.strerror(error)}")
        self.death = Death(pid)

    def close(self) -> None:
        """End it."""
        self._starter.communicate()


FIELDS = (
    *("flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls"),
    *("set_tid", "set_tid_size", "cgroup"),
)


class CloneArgs(ctypes.Structure):
    """`struct clone_args` of clone3(2)."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in FIELDS)


def fork_as(pid: int) -> int:
    """Fork, the child being numbered `pid`; as `os.fork` returns 0 in the child.

    Source: clone3(2), set_tid. It needs CAP_CHECKPOINT_RESTORE, as root has. Unlike writing
    `ns_last_pid`, it cannot give the number to somebody else.
    """
    wanted = ctypes.c_int(pid)
    args = CloneArgs(exit_signal=signal.SIGCHLD, set_tid=ctypes.addressof(wanted), set_tid_size=1)
    # PyDLL keeps the interpreter's lock, so the child has it.
    libc = ctypes.PyDLL(None, use_errno=True)
    child: int = libc.syscall(SYS_CLONE3, ctypes.byref(args), ctypes.sizeof(args))
    if child < 0:
        raise OSError(ctypes.get_errno(), "clone3")
    return child


def main(pid: int) -> None:
    """Start the process, tell an error number or 0, and end it when the input closes."""
    try:
        child = fork_as(pid)
    except OSError as error:
        print(error.errno, flush=True)
        return
    if child == 0:
        while True:
            signal.pause()
    print(0, flush=True)
    sys.stdin.read()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]))

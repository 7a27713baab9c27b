"""A fork whose child can do no harm to the machine, whatever it signals.

A mutant may send any signal to any process. So each trial runs in a PID namespace of its own, where
the only processes are those of the trial; when its first process ends, the kernel ends all of them.

Source: pid_namespaces(7), user_namespaces(7), prctl(2).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from pathlib import Path

__all__ = ["NOT_APART", "fork_apart"]

NOT_APART = 117
"""The exit status where no namespace could be made; none of pytest's."""

# <linux/sched.h>, <linux/mount.h>, <linux/prctl.h>
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def fork_apart() -> int:
    """Fork, and return 0 in the child, in the parent the id of a process that ends as it does.

    When that process or the parent is killed, all that the child has started is killed with it.
    """
    keeper = os.fork()
    if keeper:
        return keeper
    # Of a process's children, only those that are made after unshare(2) are in the new namespace,
    # and a process can do that only once: hence the keeper. The first one in it takes care of
    # orphans, which the suite itself would not: hence another one.
    try:
        _die_with_parent()
        _unshare()
        first = os.fork()
        if first:
            os._exit(_status_of(first))
        _die_with_parent()
        _call("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
        _call("mount", b"proc", b"/proc", b"proc", 0, None)
        child = os.fork()
        if child:
            os._exit(_status_of(child))
        os.setsid()  # the group that it was in has no id here
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(NOT_APART)
    return 0


def _unshare() -> None:
    if os.geteuid() == 0:
        _call("unshare", _CLONE_NEWPID | _CLONE_NEWNS)
        return
    # Without root's rights, a namespace of users allows to make the other ones.
    user, group = os.geteuid(), os.getegid()
    _call("unshare", _CLONE_NEWUSER | _CLONE_NEWPID | _CLONE_NEWNS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _die_with_parent() -> None:
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _status_of(child: int) -> int:
    """Wait for a child, and for whoever else is or becomes one meanwhile."""
    while True:
        pid, status = os.wait()
        if pid == child:
            # As a shell would have it, for a child that was killed.
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _call(name: str, *arguments: bytes | int | None) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")

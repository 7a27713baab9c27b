"""The machine and the versions that figures belong to: figures without them mean nothing."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

__all__ = [
    "describe_machine",
    "go_before_everything_else",
    "let_the_harness_go_first",
    "load_average",
    "take_turns_with_each_other",
    "versions",
]

_ROOT = Path(__file__).parent.parent.parent
_POLICIES = {os.SCHED_OTHER: "normal", os.SCHED_FIFO: "before all others (SCHED_FIFO)"}
_HARNESS_PRIORITY = 2
"""Of those that go before everything else, the harness goes first; 1 is the lowest."""
_DISTRIBUTIONS = ("elastic-timer", "torch", "numpy", "pyperf")


def describe_machine() -> dict[str, str | int]:
    """Return the processor, memory, operating system and Python of this machine."""
    return {
        "processor": _field(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "scheduling": _POLICIES.get(os.sched_getscheduler(0), "another policy"),
    }


def go_before_everything_else() -> None:
    """Run this process, and those that it starts, whenever they are ready to.

    What others do on the machine costs figures then little more than a share of the caches.

    Raises:
        PermissionError: this user may not do that.
    """
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_HARNESS_PRIORITY))


def let_the_harness_go_first() -> None:
    """Have whoever has started this process be able to end it, whatever it does."""
    if os.sched_getscheduler(0) == os.SCHED_FIFO:
        os.sched_setparam(0, os.sched_param(_HARNESS_PRIORITY - 1))


def take_turns_with_each_other() -> None:
    """Have the processes that this one starts share the processors, even before everything else.

    Under SCHED_FIFO, one that never waits lets none of the others run, the server included. So
    they get turns, but at the highest priority that there is for those who take turns.
    """
    if os.sched_getscheduler(0) == os.SCHED_FIFO:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        # Where sessions take turns with each other, their own priority counts; see sched(7).
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text("-20", "ascii")


def load_average() -> float:
    """Return the load average of the last minute: above 1 or so, figures of time are in doubt."""
    return os.getloadavg()[0]


def versions() -> dict[str, str]:
    """Return what is measured, and what it is measured with."""
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    commit = _commit()
    if commit:
        found["commit"] = commit
    return found


def _field(path: Path, name: str) -> str | None:
    try:
        for line in path.read_text("utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    except OSError:
        pass
    return None


def _commit() -> str | None:
    """Return the commit of this checkout, marked if tracked files of the timers differ from it."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None

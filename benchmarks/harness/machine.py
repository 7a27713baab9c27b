"""The machine and the versions that figures belong to: figures without them mean nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

__all__ = ["describe_machine", "go_before_everything_else", "load_average", "versions"]

_ROOT = Path(__file__).parent.parent.parent
_POLICIES = {os.SCHED_OTHER: "normal", os.SCHED_FIFO: "before all others (SCHED_FIFO)"}
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
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


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

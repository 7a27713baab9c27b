"""A process that outlives the test run by a moment, to kill whatever the run left behind.

Run as a script, with the standard library only. It reads lines from the run, `+ GROUP` when a
process group was started and `- GROUP` when one is known to be empty, and kills what remains
when the run's end of the pipe closes, however the run ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable

__all__ = ["Janitor"]


class Janitor:
    """The run's side: starts the process, and tells it of process groups."""

    def __init__(self) -> None:
        # A session of its own, so that Ctrl-C and a terminal's end do not reach it.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The number of the janitor's process."""
        return self._process.pid

    def watch(self, group: int) -> None:
        """Have this process group killed when the run ends."""
        self._tell(f"+ {group}\n")

    def forget(self, group: int) -> None:
        """Leave this process group alone: it is empty, and its number may be used again."""
        self._tell(f"- {group}\n")

    def close(self) -> None:
        """Kill what is left, and wait for the janitor's end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())
        self._process.stdin.flush()


def clean_up_after(lines: Iterable[str]) -> None:
    """Follow the groups until the lines end, then kill those that are left."""
    groups: set[int] = set()
    for line in lines:
        change, group = line.split()
        if change == "+":
            groups.add(int(group))
        else:
            groups.discard(int(group))
    for number in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(number, signal.SIGKILL)


if __name__ == "__main__":
    clean_up_after(sys.stdin)

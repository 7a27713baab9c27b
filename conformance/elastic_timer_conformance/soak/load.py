"""Keeping every core busy, as other programs on a machine in use do."""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType

__all__ = ["Load"]

# What a burner runs. It keeps to one core, so that none is spared by the scheduler, and looks now
# and then whether whoever started it is still there.
BURN = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
while os.getppid() == int(sys.argv[2]):
    for _ in range(10**6):
        pass
"""


class Load:
    """A process for each core that never waits, at normal priority; a context manager.

    Whatever else runs gets half of a core at most, and waits for its turns.
    """

    def __init__(self) -> None:
        self._burners: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Load:
        command = [sys.executable, "-I", "-S", "-c", BURN]
        for core in sorted(os.sched_getaffinity(0)):
            # A session of its own, so that Ctrl-C is for the soak alone, which ends it in time.
            self._burners.append(
                subprocess.Popen(
                    [*command, str(core), str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
        return self

    @property
    def pids(self) -> list[int]:
        """The numbers of the processes."""
        return [burner.pid for burner in self._burners]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for burner in self._burners:
            burner.kill()
        for burner in self._burners:
            burner.wait()
        self._burners.clear()

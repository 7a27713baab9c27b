"""Running the suite's own command many times, some of them at once, each in its own process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from elastic_timer_conformance.side_by_side import side_by_side

__all__ = ["Finished", "repeat"]


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that has come to its end.

    `report` is what it wrote with `--report-json`, and None if it did not get that far. `output`
    is the file with all that it printed.
    """

    number: int
    status: int
    seconds: float
    report: Mapping[str, Any] | None
    output: Path


class _Running:
    def __init__(self, number: int, arguments: Sequence[str], directory: Path) -> None:
        self._number = number
        self._start = time.monotonic()
        self._report = directory / f"run-{number}.json"
        self._output = directory / f"run-{number}.txt"
        command = [sys.executable, "-m", "elastic_timer_conformance", *arguments]
        command += ["--report-json", str(self._report)]
        with open(self._output, "wb") as output:
            # A session of its own: Ctrl-C is for the soak, which ends its runs itself.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.descriptor = os.pidfd_open(self._process.pid)

    def finish(self) -> Finished:
        """Return what came of it, now that it has ended."""
        os.close(self.descriptor)
        status = self._process.wait()
        report = None
        # A run that was killed may have left half of it.
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            report = json.loads(self._report.read_text(encoding="utf-8"))
        seconds = time.monotonic() - self._start
        return Finished(self._number, status, seconds, report, self._output)

    def interrupt(self) -> None:
        """Interrupt it as by Ctrl-C, so that it clears up."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()


def repeat(arguments: Sequence[str], times: int, jobs: int, directory: Path) -> Generator[Finished]:
    """Run the suite so many times, and give each run as it ends.

    Args:
        arguments: those of the suite's command.
        times: how many runs.
        jobs: how many of them at once.
        directory: where each run's report and output are put.

    Whoever does not take all runs ends those that are not over, by closing the iterator.
    """
    return side_by_side(
        (partial(_Running, number, arguments, directory) for number in range(1, times + 1)), jobs
    )

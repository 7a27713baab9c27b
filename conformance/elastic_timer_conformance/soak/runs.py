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
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

__all__ = ["Finished", "repeat"]

# Seconds that a run which is told to end is granted: its hosts and workers go with it.
PATIENCE = 30.0


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

    def ask_to_end(self) -> None:
        """Interrupt it as by Ctrl-C, so that it clears up."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """Wait for its end after it was asked; kill it if that takes too long."""
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self.descriptor)


def repeat(arguments: Sequence[str], times: int, jobs: int, directory: Path) -> Generator[Finished]:
    """Run the suite so many times, and give each run as it ends.

    Args:
        arguments: those of the suite's command.
        times: how many runs.
        jobs: how many of them at once.
        directory: where each run's report and output are put.

    Whoever does not take all runs ends those that are not over, by closing the iterator.
    """
    left = iter(range(1, times + 1))
    running: dict[int, _Running] = {}
    try:
        while True:
            while len(running) < jobs and (number := next(left, None)) is not None:
                started = _Running(number, arguments, directory)
                running[started.descriptor] = started
            if not running:
                return
            for descriptor in wait(list(running)):
                assert isinstance(descriptor, int)
                yield running.pop(descriptor).finish()
    finally:
        for started in running.values():
            started.ask_to_end()
        for started in running.values():
            started.end()

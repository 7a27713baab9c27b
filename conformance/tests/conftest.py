"""Runs the suite, or tiny stand-ins for it, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent

# For tiny_backends, which is imported by name in the processes that judge it, and here.
sys.path.insert(0, str(HERE))

# Seconds. A run of a few tests takes one or two, one of several wrong backends ten; this is for a
# machine that is very busy.
ENOUGH = 300.0


@dataclass(frozen=True)
class Finished:
    """A run that has ended: exit status, what it printed, and its report, if it wrote one."""

    status: int
    output: str
    report: dict[str, Any]

    def verdict(self, requirement: str) -> str:
        """Return the verdict on a requirement."""
        verdicts = {entry["id"]: entry["verdict"] for entry in self.report["requirements"]}
        return str(verdicts[requirement])


class Marked:
    """Starts processes that can be found again, with all their descendants."""

    def __init__(self) -> None:
        self._mark = uuid.uuid4().hex
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(HERE),
            "ELASTIC_TIMER_TEST": self._mark,
        }

    def alive(self) -> list[int]:
        """Return the numbers of the processes that are alive."""
        found = []
        for directory in Path("/proc").iterdir():
            if directory.name.isdecimal():
                try:
                    environment = (directory / "environ").read_bytes()
                except OSError:
                    continue
                if self._mark.encode() in environment:
                    found.append(int(directory.name))
        return found

    def wait_until_none(self) -> None:
        """Wait until all are gone; fail if they do not go."""
        end = time.monotonic() + ENOUGH
        while alive := self.alive():
            commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in alive]
            assert time.monotonic() < end, f"left behind: {commands}"
            time.sleep(0.02)


@pytest.fixture
def marked() -> Iterator[Marked]:
    """Processes of which nothing may be left at the end of the test."""
    processes = Marked()
    yield processes
    processes.wait_until_none()


@pytest.fixture
def run(tmp_path: Path, marked: Marked) -> Callable[..., Finished]:
    """A function that runs the suite as its command does: `run("--backend", ...)`."""

    def run_command(*arguments: str) -> Finished:
        report = tmp_path / "report.json"
        command = [sys.executable, "-m", "elastic_timer_conformance", *arguments]
        return finish([*command, "--report-json", str(report)], report, marked)

    return run_command


@pytest.fixture
def run_tests(tmp_path: Path, marked: Marked) -> Callable[..., Finished]:
    """A function that runs the tests in a text instead of the suite's own, or only one of them."""

    def run_text(text: str, *arguments: str, only: str | None = None) -> Finished:
        (tmp_path / "test_tiny.py").write_text(text, encoding="utf-8")
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
        report = tmp_path / "report.json"
        command = [sys.executable, "-m", "pytest", "-p", "elastic_timer_conformance.plugin"]
        place = str(tmp_path) if only is None else f"{tmp_path / 'test_tiny.py'}::{only}"
        command += ["--report-json", str(report), *arguments, place]
        return finish(command, report, marked)

    return run_text


def finish(command: Sequence[str], report: Path, marked: Marked) -> Finished:
    """Run a command to its end."""
    done = subprocess.run(
        command,
        env=marked.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=ENOUGH,
    )
    found = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    return Finished(done.returncode, done.stdout, found)


def heed_interrupts() -> None:
    """Let a process that is about to run its program end by SIGINT.

    Whoever runs these tests in the background may have had it ignored.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)

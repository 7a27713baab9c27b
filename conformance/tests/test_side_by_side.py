"""Several jobs at once: how many, in which order they are given, and what ends them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from elastic_timer_conformance import side_by_side as module
from elastic_timer_conformance.side_by_side import side_by_side


class Shell:
    """A job: a shell's command. Its result is its exit status."""

    def __init__(self, started: list[Shell], command: str) -> None:
        self._process = subprocess.Popen(["sh", "-c", command])
        self.descriptor = os.pidfd_open(self._process.pid)
        self.is_over = False
        started.append(self)

    def finish(self) -> int:
        os.close(self.descriptor)
        self.is_over = True
        return self._process.wait()

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self._process.kill()


def shells(*commands: str) -> tuple[list[Shell], list[Callable[[], Shell]]]:
    """Return the list of those that have been started, and what starts them."""
    started: list[Shell] = []
    return started, [partial(Shell, started, command) for command in commands]


def test_gives_each_as_it_ends(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    _, starts = shells(f"read line <'{fifo}'; exit 1", "exit 2")
    results = side_by_side(starts, 2)
    assert next(results) == 2
    fifo.write_text("go on\n")
    assert list(results) == [1]


def test_starts_no_more_than_so_many_at_once() -> None:
    started, starts = shells("exit 1", "exit 2", "exit 3")
    given = [(result, len(started)) for result in side_by_side(starts, 1)]
    assert given == [(1, 1), (2, 2), (3, 3)]


def test_nothing_to_do_is_done() -> None:
    assert list(side_by_side([], 2)) == []


def test_kills_what_takes_too_long() -> None:
    _, starts = shells("exec sleep 3600", "exec sleep 3600")
    assert list(side_by_side(starts, 1, 0.05)) == [-signal.SIGKILL, -signal.SIGKILL]


@pytest.mark.parametrize("command", ["exec sleep 3600", "trap '' INT; exec sleep 3600"])
def test_whoever_does_not_take_all_ends_the_others(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    # One that does not heed the interruption is killed after this time.
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    started, starts = shells("exit 0", command, command, command)
    results = side_by_side(starts, 2)
    assert next(results) == 0
    results.close()
    assert [job.is_over for job in started] == [True, True]

"""The command `hunt`: what it finds is told and kept, and its exit status says whether it did."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from elastic_timer_conformance.machine.difference import Difference
from elastic_timer_conformance.machine.finding import Outcome
from elastic_timer_conformance.machine.hunt import Progress
from test_machine import command

CONTROLLED = ("--machine", "controlled")
PROCESSES = ("--machine", "processes")


def hunt(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Hunt, with traces in a directory."""
    return command("hunt", "--traces", str(directory), *arguments)


def test_where_there_is_no_difference_it_says_what_it_tried(tmp_path: Path) -> None:
    done = hunt(tmp_path, *CONTROLLED, "--backend", "local", "--examples", "3", "--part", "clear")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "controlled: 3 sequences in " in done.stdout
    assert "with `clear`\nNo difference was found.\n" in done.stdout


def test_a_difference_is_kept_where_it_says(tmp_path: Path) -> None:
    traces = tmp_path / "traces"
    done = hunt(traces, *CONTROLLED, "--backend", "differing_backends:ExpiresTooLate")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "(SERVER-EXPIRED-INCLUSIVE)\nIt takes 1 step:\n" in done.stdout
    [trace] = traces.iterdir()
    assert f"They are kept in {trace}." in done.stdout
    assert json.loads(trace.read_text())["machine"] == "controlled"


def test_real_workers_are_driven_for_as_long_as_there_is_time(tmp_path: Path) -> None:
    done = hunt(tmp_path, *PROCESSES, "--backend", "local", "--examples", "1000", "--seconds", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    tried = int(done.stdout.split("processes: ")[1].split()[0])
    assert 1 <= tried < 1000


def test_what_belongs_to_a_deviation_is_left_out_unless_all_is_asked_for(tmp_path: Path) -> None:
    arguments = (*PROCESSES, "--backend", "local-mp-queue", "--examples", "1", "--seconds", "0")
    assert "`fork`" not in hunt(tmp_path, *arguments).stdout
    assert "`fork`" in hunt(tmp_path, *arguments, "--all-parts").stdout


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--backend", "locale"], "Known ones: local, "),
        (["--backend", "local", "--part", "clean"], "there is no part 'clean'; there are `clear`"),
        (["--backend", "local", "--examples", "0"], "at least 1, not '0'"),
        (["--backend", "local", "--part", "clear", "--all-parts"], "not allowed with"),
        ([], "the following arguments are required: --backend"),
    ],
)
def test_a_wrong_command_is_explained(tmp_path: Path, arguments: list[str], hint: str) -> None:
    done = hunt(tmp_path, *arguments)
    assert done.returncode == 4
    assert hint in done.stderr


def test_what_a_backend_does_not_offer_is_no_success(tmp_path: Path) -> None:
    done = hunt(tmp_path, *CONTROLLED, "--backend", "tiny_backends:TinyBackend")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "controlled: broken off, since " in done.stdout


# How far it is -----------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def times() -> Iterator[float]:
    return iter([0.0, 4.0, 11.0, 12.0, 30.0])


def test_into_a_file_it_writes_a_line_every_ten_seconds(times: Iterator[float]) -> None:
    stream = io.StringIO()
    progress = Progress("processes", 50, stream, lambda: next(times))
    for tried in (3, 9, 10, 20):
        progress.tell(Outcome(tried=tried))
    progress.end()
    assert stream.getvalue().splitlines() == [
        "processes: 9 of 50 sequences, 11 s",
        "processes: 20 of 50 sequences, 30 s",
    ]


def test_on_a_terminal_it_writes_over_its_line_and_leaves_none(times: Iterator[float]) -> None:
    stream = Terminal()
    progress = Progress("processes", 50, stream, lambda: next(times))
    progress.tell(Outcome(tried=1))
    progress.tell(Outcome(tried=2, seen=([{"do": "half"}], Difference("late", "somebody lives"))))
    progress.end()
    lines = stream.getvalue().split("\r\x1b[K")
    assert lines == [
        "",
        "processes: 1 of 50 sequences, 4 s",
        "processes: 2 of 50 sequences, 11 s; what was found is tried again, and made shorter",
        "",
    ]

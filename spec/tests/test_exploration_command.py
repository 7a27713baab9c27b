"""The command `explore` says what it sees, and fails when that is not what is to be seen."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from elastic_timer_spec import exploration_command
from elastic_timer_spec.__main__ import main
from elastic_timer_spec.exploration import Bounds
from elastic_timer_spec.explored import Right
from elastic_timer_spec.model.rules import Model
from elastic_timer_spec.model.wrong import WRONG, Wrong

# It is ended at once; this only has to end one that is stuck.
SECONDS = 120


def test_a_wrong_model_is_shown_with_the_run_that_finds_it_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["explore", "--variant", "KeepsItsStopFlag"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch("KeepsItsStopFlag +never stands still +broken by 2 steps", lines[0])
    assert lines[2:] == [
        "A server that has been stopped and started ends its loop at once.",
        "   1. the server stops",
        "   2. the server is started",
        "      the server runs, and can do nothing",
    ]


def test_a_right_model_is_explored_to_a_depth(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "--variant", "durable", "--depth", "3"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("durable: 2 workers, 2 scopes, ")
    assert out.count("no invariant is broken\n") == 3
    assert "queue" not in out


def test_an_unknown_variant_is_refused_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["explore", "--variant", "SamplesEarly"]) == 2
    error = capsys.readouterr().err
    assert "there is no variant 'SamplesEarly'" in error
    assert "queue, durable" in error
    assert "SamplesLate, " in error


def test_what_is_written_is_up_to_date_until_something_else_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "found.json"
    assert main(["explore", "--depth", "3", "--output", str(file)]) == 0
    assert main(["explore", "--depth", "2", "--check", str(file)]) == 0
    assert f"{file} is up to date" in capsys.readouterr().out
    found = json.loads(file.read_text("utf-8"))
    found["right"][1]["levels"][1][0] += 1
    file.write_text(json.dumps(found), encoding="utf-8")
    assert main(["explore", "--depth", "2", "--check", str(file)]) == 1
    assert f"{file} is stale: right model 2\n" in capsys.readouterr().out
    # What is not explored so far is not compared.
    assert main(["explore", "--depth", "1", "--check", str(file)]) == 0


def test_a_right_model_that_breaks_an_invariant_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Right(WRONG["KeepsItsStopFlag"].model, Bounds(1, 1))
    monkeypatch.setattr(exploration_command, "RIGHT", (broken,))
    assert main(["explore", "--variant", "queue"]) == 1
    out = capsys.readouterr().out
    assert "broken: never stands still\n   1. the server stops\n" in out


def test_a_wrong_model_that_breaks_nothing_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = Wrong("RightAfterAll", Model, "is never early")
    monkeypatch.setattr(exploration_command, "WRONG", {right.name: right})
    assert main(["explore", "--variant", right.name]) == 1
    assert "not broken" in capsys.readouterr().out


def test_it_can_be_interrupted() -> None:
    command = [sys.executable, "-m", "elastic_timer_spec", "explore"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("queue: ")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert error == "interrupted\n"

"""The machine on a controlled clock: what is wrong is found, told briefly, and can be repeated."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from differing_backends import WrongOnce, WrongOnceServer
from elastic_timer_conformance.backends import load_backend
from elastic_timer_conformance.machine.check import check_server_against_model
from elastic_timer_conformance.machine.controlled import CONTROLLED
from elastic_timer_conformance.machine.difference import ModelError
from elastic_timer_conformance.machine.minimise import Failure
from elastic_timer_conformance.machine.search import take
from elastic_timer_conformance.machine.trace import Step, Trace, TraceError

# conftest.run_tests: gives a conftest.Finished.
RunTests = Callable[..., Any]

# Seconds: far more than a replay takes on a machine that is very busy.
ENOUGH = 120.0


def find(backend: str, directory: Path, **options: Any) -> ModelError:
    """Return how the machine says that this backend is wrong."""
    name = f"differing_backends:{backend}"
    with pytest.raises(ModelError) as caught:
        check_server_against_model(load_backend(name), name=name, directory=directory, **options)
    return caught.value


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the commands that are not pytest's."""
    return subprocess.run(
        [sys.executable, "-m", "elastic_timer_conformance", *arguments],
        env={"PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        timeout=ENOUGH,
    )


def replay(*arguments: str) -> subprocess.CompletedProcess[str]:
    return command("replay", *arguments)


@pytest.mark.parametrize(
    ("backend", "requirement", "steps"),
    [
        ("ForgetsAScope", "SERVER-REGISTER", 3),
        ("ReleaseWins", "SERVER-REGISTER-ORDER", 3),
        ("DoesNotTryAgain", "WATCHDOG-REAP-FAILED", 3),
        ("ClearsOnlyWhatHasExpired", "WATCHDOG-REAPED", 3),
        ("ExpiresTooLate", "SERVER-EXPIRED-INCLUSIVE", 1),
        ("LosesARequest", "WATCHDOG-BATCH", 3),
        ("LosesARequestAndSaysSo", "QUEUE-EXACTLY-ONCE", 3),
        ("BelievesTheWallClock", "CLOCK-STEP", 2),
    ],
)
def test_a_difference_is_found_and_its_trace_repeats_it(
    backend: str, requirement: str, steps: int, tmp_path: Path
) -> None:
    error = find(backend, tmp_path)
    assert error.requirements == (requirement,)
    [path] = tmp_path.iterdir()
    trace = Trace.read(path)
    assert len(trace.steps) <= steps
    assert trace.backend == f"differing_backends:{backend}"
    command = str(error).splitlines()[-1].strip()
    assert shlex.split(command)[:5] == [
        *("python", "-m", "elastic_timer_conformance", "replay", str(path))
    ]
    again = replay(*shlex.split(command)[4:])
    assert again.returncode == 1, again.stdout + again.stderr
    assert again.stdout.splitlines()[-1].startswith("     ✗ ")
    assert again.stdout.count("✓") == len(trace.steps) - 1
    right = replay(str(path), "--backend", "local")
    assert right.returncode == 0, right.stdout + right.stderr
    assert right.stdout.splitlines()[-1] == "     ✓ no difference"


@pytest.mark.parametrize(
    ("backend", "after", "requirement"),
    [
        ("ReleaseWins", 59.9995, "SERVER-REGISTER-ORDER"),
        ("ClearsOnlyWhatHasExpired", -0.9995, "WATCHDOG-REAPED"),
    ],
)
def test_of_several_requests_the_order_is_suspected_only_if_it_matters(
    backend: str, after: float, requirement: str
) -> None:
    requests: list[dict[str, Any]] = [
        {"worker": 0, "scope": "step"},
        {"worker": 0, "scope": "step", "after": after},
        {"worker": 0, "scope": "epoch", "after": 59.9995},
    ]
    steps = [{"do": "send", "requests": requests}, {"do": "watchdog", "answers": {}}]
    name = f"differing_backends:{backend}"
    with CONTROLLED.runs(load_backend(name), name, ()) as make_run:

        def again(candidate: Sequence[Step]) -> Failure | None:
            return take(lambda: make_run(ENOUGH), candidate)

        failure = again(steps)
        assert failure is not None
        assert CONTROLLED.blamed(failure, again)[0] == requirement


def test_what_is_told_names_the_steps_and_the_difference(tmp_path: Path) -> None:
    lines = str(find("ExpiresTooLate", tmp_path)).splitlines()
    assert re.fullmatch(
        r"what has expired by \+59\.9995\d* s was to be \(worker 2, 'step', \+59\.9995\d* s\), "
        r"and is empty \(SERVER-EXPIRED-INCLUSIVE\)",
        lines[0],
    )
    assert lines[1:3] == [
        "It takes 1 step:",
        "  1. register [worker 2, scope 'step': acquire, +59.9995 s]",
    ]


def test_the_same_seed_finds_the_same_steps(tmp_path: Path) -> None:
    for _ in range(2):
        find("ForgetsAScope", tmp_path)
    first, second = (Trace.read(path) for path in tmp_path.iterdir())
    assert first.steps == second.steps


def test_what_does_not_show_again_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WrongOnceServer, "was_wrong", False)
    assert check_server_against_model(WrongOnce(), examples=10) == 10
    assert WrongOnceServer.was_wrong


def test_a_part_can_be_left_out() -> None:
    backend = load_backend("differing_backends:DoesNotTryAgain")
    assert check_server_against_model(backend, parts={"clear"}, examples=5) == 5


def test_no_sequence_is_begun_when_the_time_is_over() -> None:
    assert check_server_against_model(load_backend("local"), examples=5, seconds=0) == 0


def test_nothing_is_left_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_server_against_model(load_backend("local"), examples=2)
    assert list(tmp_path.iterdir()) == []


IN_THE_SUITE = """
from elastic_timer_conformance.machine.check import check_server_against_model
from elastic_timer_conformance.requirement import requirement

@requirement("WATCHDOG-REAPED", "WATCHDOG-REAP-FAILED")
def test_model(backend, tmp_path):
    check_server_against_model(backend, directory=tmp_path)
"""


def test_in_the_suite_a_failure_is_held_against_what_it_is_about(run_tests: RunTests) -> None:
    done = run_tests(IN_THE_SUITE, "--backend", "differing_backends:DoesNotTryAgain")
    assert done.status == 1
    assert done.verdict("WATCHDOG-REAP-FAILED") == "violates"
    assert done.verdict("WATCHDOG-REAPED") == "not run"


# The command ------------------------------------------------------------------------------------


def test_help() -> None:
    done = replay("--help")
    assert done.returncode == 0
    for word in ("--backend", "--allowance", "exit status"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is not JSON"),
        ("[]", "it is not an object with 'steps'"),
        ('{"version": 2, "steps": []}', "a trace of version 2; this suite reads version 1"),
        ('{"version": 1, "steps": [{}]}', "every step is an object that says what to 'do'"),
        ('{"version": 1, "machine": "x", "steps": []}', "there is no machine 'x'"),
        (
            '{"version": 1, "machine": "controlled", "steps": [{"do": "fly"}]}',
            "this machine knows no step 'fly'",
        ),
    ],
)
def test_a_file_that_is_no_trace_is_explained(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "trace.json"
    path.write_text(text)
    done = replay(str(path), "--backend", "local")
    assert done.returncode == 4
    assert reason in done.stderr


def test_a_file_that_is_not_there_is_explained(tmp_path: Path) -> None:
    done = replay(str(tmp_path / "none.json"), "--backend", "local")
    assert done.returncode == 4
    assert "none.json" in done.stderr


def test_a_backend_without_such_a_server_is_explained(tmp_path: Path) -> None:
    Trace("controlled", []).write(tmp_path / "trace.json")
    done = replay(str(tmp_path / "trace.json"), "--backend", "tiny_backends:TinyBackend")
    assert done.returncode == 4
    assert "does not offer a server that is not started" in done.stderr


def test_a_trace_is_what_was_written(tmp_path: Path) -> None:
    steps = [{"do": "send", "requests": [{"worker": 0, "scope": 'é"\n'}]}, {"do": "watchdog"}]
    trace = Trace("controlled", steps, "local", "something", ("SERVER-CLEAR",))
    trace.write(tmp_path / "trace.json")
    assert Trace.read(tmp_path / "trace.json") == trace
    (tmp_path / "trace.json").write_text("{}")
    with pytest.raises(TraceError, match="is no trace"):
        Trace.read(tmp_path / "trace.json")

"""The machine with real processes: each fault finds what only it can, and nothing else is found."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from elastic_timer_conformance.backends import load_backend
from elastic_timer_conformance.machine import finding
from elastic_timer_conformance.machine.check import check_workers_against_model
from elastic_timer_conformance.machine.difference import ModelError
from elastic_timer_conformance.machine.processes import PROCESSES
from elastic_timer_conformance.machine.rules import Rules
from elastic_timer_conformance.machine.search import search
from elastic_timer_conformance.machine.trace import Step, Trace, plainly
from test_machine import replay

# conftest.run_tests: gives a conftest.Finished.
RunTests = Callable[..., Any]

DEMANDS = {"in time", "survival"}

# Seconds that looking may take, by far; and sequences in which nothing is found.
ENOUGH = 300.0
FEW = 4

# Seconds. What these backends do not do in this time they never do; on a machine that is too busy
# for the right ones to do it, a test here is not what fails first.
PATIENCE = 2.0

# Seconds to make a sequence shorter, where it is not the point that it becomes short.
SOME_TIME = 3.0

WRONG = {
    "JudgesBeforeItHasRead": ("suspension", "WATCHDOG-NO-FALSE-REAP", 2),
    "StaysStopped": ("restart", "SERVER-RESTART", 1),
    "ForgetsWhatWasReleased": ("restart", "SERVER-RESTART", 0),
    "ForgetsTheOuterBlock": ("nested blocks", "EXPIRES-NESTED-REARM", 1),
    "SendsInAThread": ("hang at once", "CLIENT-ARMED", 1),
    "RemembersItsProcess": ("fork", "CLIENT-FORK", 0),
    "LosesUnderLoad": ("busy", "WATCHDOG-LATENCY", 0),
    "SparesTheStopped": ("stop", "PROCESS-STOPPED", 0),
    "ReapsANeighbour": ("stop", "PROCESS-ONLY-HUNG", 0),
    "ForgetsOverADeath": ("kill", "PROCESS-EXITED", 2),
    "BelievesTheWallClock": ("wall clock", "CLOCK-STEP", 0),
    "DiesOverGarbage": ("malformed", "QUEUE-MALFORMED", 0),
    "WaitsForTheOtherHalf": ("half a request", "QUEUE-STALLED-PRODUCER", 0),
    "ForgetsOverACrash": ("crash", "DURABLE-SERVER-CRASH", 0),
}
"""By backend: the part without which it is not found to be wrong, what that is held against, and a
seed with which it does not take long."""


def check(backend: str, parts: set[str], **options: Any) -> int:
    name = f"differing_processes:{backend}"
    options = {"seconds": ENOUGH, **options}
    return check_workers_against_model(load_backend(name), name=name, parts=parts, **options)


def find(backend: str, parts: set[str], directory: Path, **options: Any) -> ModelError:
    """Return how the machine says that this backend is wrong."""
    with pytest.raises(ModelError) as caught:
        check(backend, parts, patience=PATIENCE, directory=directory, **options)
    return caught.value


def test_there_is_a_wrong_backend_for_every_part() -> None:
    assert {part for part, *_ in WRONG.values()} == set(PROCESSES.parts) - DEMANDS


@pytest.mark.parametrize(
    ("backend", "part", "requirement", "seed"), [(k, *v) for k, v in WRONG.items()], ids=WRONG
)
def test_each_part_finds_what_only_it_can(
    backend: str,
    part: str,
    requirement: str,
    seed: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finding, "TIME_TO_MINIMISE", SOME_TIME)
    offered = set(PROCESSES.parts_for(load_backend(f"differing_processes:{backend}")))
    assert part in offered
    # Others that belong to the same requirement may find it too.
    others = {
        name for name in offered - {part} if requirement not in PROCESSES.parts[name].requirements
    }
    assert check(backend, {*DEMANDS, *others}, examples=FEW) == FEW
    error = find(backend, {*DEMANDS, part}, tmp_path, random_seed=seed)
    assert error.requirements == (requirement,)


def test_a_trace_repeats_what_was_found_and_a_right_backend_passes_it(tmp_path: Path) -> None:
    error = find("SparesTheStopped", {*DEMANDS, "stop"}, tmp_path)
    [path] = tmp_path.iterdir()
    trace = Trace.read(path)
    assert trace.machine == "processes"
    assert [step["do"] for step in trace.steps][:3] == ["start", "order", "stop"]
    # Time may have to pass before the run's end, which lets the worker go on.
    assert [step["do"] for step in trace.steps][3:] == ["expire"]
    command = shlex.split(str(error).splitlines()[-1])
    assert command[:5] == ["python", "-m", "elastic_timer_conformance", "replay", str(path)]
    again = replay(*command[4:], "--allowance", str(PATIENCE))
    assert again.returncode == 1, again.stdout + again.stderr
    assert re.search(r"✗ worker \d was to be reaped for its timer", again.stdout)
    right = replay(str(path), "--backend", "file")
    assert right.returncode == 0, right.stdout + right.stderr
    assert right.stdout.splitlines()[-1] == "     ✓ no difference"


def test_what_is_told_names_the_steps_and_the_difference(tmp_path: Path) -> None:
    lines = str(find("DiesOverGarbage", {*DEMANDS, "malformed"}, tmp_path)).splitlines()
    assert re.fullmatch(
        r"the witness, who came last, was to be reaped for its timer 'witness', and lives "
        r"\d+\.\d\d s after the deadline \(QUEUE-MALFORMED\)",
        lines[0],
    )
    assert lines[1] == "It takes 1 step:"
    assert lines[2].startswith("  1. what is no request arrives: ")


def test_a_server_that_does_not_survive_is_found_unless_that_is_left_out(tmp_path: Path) -> None:
    error = find("DoesNotSurvive", DEMANDS, tmp_path)
    assert error.requirements == ("SERVER-SURVIVES",)
    assert check("DoesNotSurvive", {"in time"}, examples=2) == 2


def test_who_is_reaped_too_early_is_found(tmp_path: Path) -> None:
    name = "tiny_backends:HastyBackend"
    with pytest.raises(ModelError, match=r"was not to be reaped, and was: .* s left") as caught:
        check_workers_against_model(load_backend(name), name=name, directory=tmp_path)
    assert caught.value.requirements == ("SERVER-REGISTER",)


def test_by_default_what_belongs_to_deviations_is_left_out() -> None:
    parts = set(PROCESSES.parts_for(load_backend("local-mp-queue")))
    assert parts == {"survival", "restart", "nested blocks", "wall clock", "malformed"}
    assert "crash" in PROCESSES.parts_for(load_backend("shared-memory"))
    assert "crash" not in PROCESSES.parts_for(load_backend("local"))


def test_the_same_seed_makes_the_same_steps() -> None:
    assert steps_of(7) == steps_of(7)
    assert steps_of(7) != steps_of(8)


def steps_of(seed: int) -> list[Step]:
    """Return what is done with a seed; it does not depend on what comes of it."""
    steps: list[Step] = []

    class Recording:
        def do(self, step: Step) -> str:
            steps.append(step)
            return ""

        def end(self) -> None:
            pass

        def close(self) -> None:
            pass

    def make_rules(needed: bool) -> Rules:
        return PROCESSES.rules(Recording() if needed else None, list(PROCESSES.parts))

    assert search(make_rules, 3, 12, seed, costly=True) is None
    return steps


def test_every_step_is_put_into_words() -> None:
    steps = {step["do"]: step for seed in range(20) for step in steps_of(seed)}
    assert len(steps) > len(PROCESSES.parts)
    plain = [what for what, step in steps.items() if PROCESSES.described(step) == plainly(step)]
    assert plain == []


def test_a_trace_of_a_crash_cannot_be_replayed_where_timers_are_lost_with_the_server(
    tmp_path: Path,
) -> None:
    Trace("processes", [{"do": "kill server"}]).write(tmp_path / "trace.json")
    done = replay(str(tmp_path / "trace.json"), "--backend", "local")
    assert done.returncode == 4
    assert "does not outlive its server" in done.stderr


IN_THE_SUITE = """
from elastic_timer_conformance.machine import finding
from elastic_timer_conformance.machine.check import check_workers_against_model
from elastic_timer_conformance.requirement import requirement

finding.TIME_TO_MINIMISE = 3.0

@requirement("PROCESS-ONLY-HUNG", "SERVER-RESTART")
def test_model(backend, hosts, tmp_path):
    check_workers_against_model(
        backend,
        name="differing_processes:StaysStopped",
        parts={"restart"},
        random_seed=1,
        patience=1.0,
        directory=tmp_path,
        hosts=hosts,
    )
"""


def test_in_the_suite_a_failure_is_held_against_what_it_is_about(run_tests: RunTests) -> None:
    done = run_tests(IN_THE_SUITE, "--backend", "differing_processes:StaysStopped")
    assert done.status == 1, done.output
    assert done.verdict("SERVER-RESTART") == "violates"
    assert done.verdict("PROCESS-ONLY-HUNG") == "not run"

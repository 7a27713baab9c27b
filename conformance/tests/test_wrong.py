"""The check by deliberately wrong backends fails where it has to, and says why."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tiny_catalogue
from conftest import ENOUGH, Finished, Marked, finish, heed_interrupts
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.catalogue import CatalogueError, entries, uncovered
from elastic_timer_conformance.wrong.order import longest_first
from elastic_timer_conformance.wrong.result import Result
from elastic_timer_conformance.wrong.trial import Trial
from elastic_timer_spec import Level, UnknownRequirementError, load
from tiny_backends import TinyBackend

Run = Callable[..., Finished]
MakePackage = Callable[..., str]

SPECIFICATION = load()
SCHEMA = json.loads(
    resources.files("elastic_timer_conformance.wrong").joinpath("result.schema.json").read_text()
)
TINY = "--catalogue=tiny_catalogue"
MUST = [
    requirement.id
    for requirement in SPECIFICATION.requirements.values()
    if requirement.level is Level.MUST
]


# One run of the check ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The check of the tiny catalogue, without the one that hangs."""
    report = tmp_path_factory.mktemp("wrong") / "report.json"
    names = [entry.name for entry in entries(SPECIFICATION, "tiny_catalogue")]
    names.remove("Hangs")
    names.remove("IsRightAtFirst")
    command = [sys.executable, "-m", "elastic_timer_conformance", "wrong", TINY, *names]
    return finish([*command, "--report-json", str(report)], report, Marked())


def problems(judged: Finished, name: str) -> list[str]:
    [found] = [entry for entry in judged.report["backends"] if entry["name"] == name]
    return list(found["problems"])


@pytest.mark.parametrize("name", ["MissesTheLastOfMany", "BreaksTwo"])
def test_one_that_breaks_what_it_declares_is_caught(judged: Finished, name: str) -> None:
    assert problems(judged, name) == []
    assert f" ✓ QUEUE-SIZE                       {name} " in judged.output


def test_one_that_breaks_nothing_is_not_caught(judged: Finished) -> None:
    [problem] = problems(judged, "IsRight")
    assert problem.startswith("QUEUE-GET-EMPTY is not caught: conforms after ")
    assert " ✗ QUEUE-GET-EMPTY " in judged.output
    assert f"            {problem}\n" in judged.output


def test_one_that_breaks_something_else_too_is_a_failure(judged: Finished) -> None:
    [problem] = problems(judged, "BreaksAnotherToo")
    assert problem.startswith("QUEUE-GET-BOUNDED is held against it too, by suite/test_queue.py::")
    assert "assert [0, 1, 2] == [0, 1]" in problem


def test_one_of_which_the_failure_says_something_else_is_a_failure(judged: Finished) -> None:
    [problem] = problems(judged, "IsDescribedWrongly")
    assert problem.startswith("no failure says 'words that nobody says'. What was said: ")
    assert tiny_catalogue.ONE_IS_MISSED in problem


def test_one_that_is_not_caught_is_tried_again_alone(judged: Finished) -> None:
    assert f"alone     ✗ {'QUEUE-GET-EMPTY':32} IsRight " in judged.output
    [found] = [entry for entry in judged.report["backends"] if entry["name"] == "IsRight"]
    assert found["before"] == found["problems"]


def test_one_that_is_caught_alone_is_caught_and_told_of(
    run: Run, marked: Marked, tmp_path: Path
) -> None:
    marked.environment["ELASTIC_TIMER_TRIED"] = str(tmp_path / "tried")
    done = run("wrong", TINY, "IsRightAtFirst", "MissesTheLastOfMany")
    assert done.status == 0, done.output
    assert "1 of them only when tried again alone: IsRightAtFirst\n" in done.output
    before = {entry["name"]: entry["before"] for entry in done.report["backends"]}
    assert before["MissesTheLastOfMany"] == []
    [problem] = before["IsRightAtFirst"]
    assert problem.startswith("QUEUE-SIZE is not caught: conforms after ")


def test_one_that_ends_the_process_is_a_failure(judged: Finished) -> None:
    [problem] = problems(judged, "EndsTheProcess")
    assert problem.startswith(f"the suite ended with status {-signal.SIGABRT}:\n")


def test_a_run_that_was_ended_before_all_tests_is_a_failure(judged: Finished) -> None:
    [problem] = problems(judged, "EndsTheRun")
    assert problem.startswith("the suite ended with status 2:\n")
    assert "KeyboardInterrupt" in problem


def test_it_says_how_many_were_caught_by_how_many_tests(judged: Finished) -> None:
    assert judged.status == 1
    tests = sum(entry["tests"] for entry in judged.report["backends"])
    last = judged.output.splitlines()[-1]
    assert f"3 of 8 wrong backends caught, and for nothing else, by {tests:,} runs of tests" in last


def test_the_report_keeps_to_its_schema(judged: Finished) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(judged.report, SCHEMA)
    assert judged.report["passed"] is False
    assert judged.report["missing"] == []
    [entry] = [each for each in judged.report["backends"] if each["name"] == "BreaksTwo"]
    assert entry["requirement"] == "QUEUE-SIZE"
    assert entry["how"].startswith("`size()` is one too small, and ")
    assert entry["implies"] == {"QUEUE-GET-BOUNDED": "it cannot count"}
    assert any(tiny_catalogue.ONE_IS_MISSED in said for said in entry["said"])


# What is tried out ---------------------------------------------------------------------------


def test_a_must_without_a_wrong_backend_is_a_failure() -> None:
    catalogue = entries(SPECIFICATION, "tiny_catalogue")
    trials = [Trial(entry, problems=[]) for entry in catalogue]
    missing = uncovered(SPECIFICATION, catalogue)
    covered = {entry.breach.requirement for entry in catalogue}
    assert missing == [name for name in MUST if name not in covered]
    result = Result(SPECIFICATION.version, "", False, 0.0, 1.0, trials, missing)
    assert not result.passed
    failed = f"FAILED: {len(missing)} requirements without a wrong backend: REQUEST-FIELDS, "
    assert next(result.lines()).startswith(failed)
    assert replace(result, missing=()).passed


def test_one_alone_can_be_tried_out(run: Run) -> None:
    done = run("wrong", TINY, "MissesTheLastOfMany")
    assert done.status == 0, done.output
    assert done.report["passed"] is True
    assert [entry["name"] for entry in done.report["backends"]] == ["MissesTheLastOfMany"]
    assert done.report["command"].startswith(
        "python -m elastic_timer_conformance wrong --catalogue"
    )


def test_a_catalogue_without_entries_fails(run: Run) -> None:
    done = run("wrong", "--catalogue=tiny_backends")
    assert done.status == 1
    assert "FAILED: there is no wrong backend\n" in done.output
    assert "0 of 0 wrong backends caught" in done.output
    assert done.report["missing"] == MUST


def test_a_requirement_of_which_there_is_none_fails(run: Run) -> None:
    done = run("wrong", TINY, "CLOCK-STEP")
    assert done.status == 1
    assert "FAILED: 1 requirements without a wrong backend: CLOCK-STEP" in done.output


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["QUEUE-SIZ"], "Did you mean QUEUE-SIZE"),
        (["--catalogue=no_such_catalogue"], "No module named 'no_such_catalogue'"),
        (["--jobs=0"], "at least 1, not '0'"),
    ],
)
def test_a_wrong_command_is_explained(run: Run, arguments: list[str], hint: str) -> None:
    done = run("wrong", *arguments)
    assert done.status == 2
    assert hint in done.output


def test_list_says_what_there_is_and_runs_nothing(run: Run) -> None:
    done = run("wrong", "--list")
    assert done.status == 0
    assert done.report == {}
    listed = [line.split(None, 2) for line in done.output.splitlines()]
    assert listed == [
        [entry.breach.requirement, entry.name, entry.breach.how] for entry in entries(SPECIFICATION)
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_end_before_its_time_leaves_nothing_behind(
    marked: Marked, tmp_path: Path, number: signal.Signals
) -> None:
    hangs = tmp_path / "hangs"
    marked.environment["ELASTIC_TIMER_HANGS"] = str(hangs)
    process = subprocess.Popen(
        [sys.executable, "-m", "elastic_timer_conformance", "wrong", TINY, "Hangs"],
        env=marked.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_interrupts,
    )
    end = time.monotonic() + ENOUGH
    while not hangs.exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(number)
    output, _ = process.communicate(timeout=ENOUGH)
    killed = number == signal.SIGKILL
    assert (process.returncode, output) == ((-9, "") if killed else (2, "interrupted\n"))
    marked.wait_until_none()


# How it is tried out -------------------------------------------------------------------------


# Tries out one wrong backend, and leaves the suite's report in a directory.
TRY_OUT = """
import sys
from functools import partial
from pathlib import Path
from elastic_timer_conformance.side_by_side import side_by_side
from elastic_timer_conformance.wrong.catalogue import entries
from elastic_timer_conformance.wrong.trial import Trying
from elastic_timer_conformance.wrong.warm import warm_context
from elastic_timer_spec import load

directory = Path(sys.argv[1])
[entry] = [each for each in entries(load(), "tiny_catalogue") if each.name == sys.argv[2]]
start = partial(Trying, entry, load(), warm_context(directory), directory, whole=False)
[trial] = side_by_side([start], 1)
print(trial.tests, *trial.problems, end="")
"""


def test_a_fork_judges_as_the_command_does(run: Run, marked: Marked, tmp_path: Path) -> None:
    command = [sys.executable, "-c", TRY_OUT, str(tmp_path), "StaysInItsProcess"]
    fork = finish(command, tmp_path / "StaysInItsProcess.json", marked)
    # The tests of the requirement and those of the interface layer, each once, and no other.
    expected: dict[str, tuple[str, list[str]]] = {}
    for part in ("--requirement=QUEUE-EXACTLY-ONCE", "--layer=interface"):
        expected |= outcomes(run("--backend=tiny_catalogue:StaysInItsProcess", part).report)
    assert fork.status == 0, fork.output
    assert outcomes(fork.report) == expected
    assert fork.output == str(len(expected))


def outcomes(report: dict[str, Any]) -> dict[str, tuple[str, list[str]]]:
    return {test["test"]: (test["outcome"], test["requirements"]) for test in report["tests"]}


def test_those_with_the_most_process_tests_are_first() -> None:
    catalogue = entries(SPECIFICATION)
    names = [entry.name for entry in longest_first(catalogue)]
    assert sorted(names) == sorted(entry.name for entry in catalogue)
    # Six tests with worker processes, one, and none.
    order = ("RemembersItsProcess", "ReordersUnderLoad", "MissesTheLastOfMany")
    assert sorted(order, key=names.index) == list(order)


# What is declared ----------------------------------------------------------------------------

WRONG = '''
from elastic_timer_conformance.wrong.breach import breaks
from tiny_backends import TinyBackend

@breaks("QUEUE-SIZE", seen="")
class Wrong(TinyBackend):
    """Breaks something."""
'''


@pytest.fixture
def make_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakePackage:
    """A function that makes a package of modules with these texts, and returns its name."""
    name = f"catalogue_of_{tmp_path.name}"

    def make(**modules: str) -> str:
        folder = tmp_path / name
        folder.mkdir()
        for module, text in {"__init__": "", **modules}.items():
            (folder / f"{module}.py").write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        return name

    return make


def test_one_that_does_not_say_how_it_is_wrong_is_refused() -> None:
    with pytest.raises(ValueError, match="does not say in its docstring how it is wrong"):

        @breaks("QUEUE-SIZE", seen="")
        class Silent(TinyBackend):
            pass


def test_one_that_breaks_what_is_not_demanded_is_refused(make_package: MakePackage) -> None:
    package = make_package(one=WRONG.replace("QUEUE-SIZE", "QUEUE-SIZES"))
    with pytest.raises(UnknownRequirementError, match="QUEUE-SIZES"):
        entries(SPECIFICATION, package)


def test_two_of_the_same_name_are_refused(make_package: MakePackage) -> None:
    package = make_package(one=WRONG, two=WRONG)
    with pytest.raises(CatalogueError, match="two wrong backends are called Wrong"):
        entries(SPECIFICATION, package)


def test_one_that_is_imported_or_a_subclass_is_not_counted_again(
    make_package: MakePackage,
) -> None:
    another = WRONG.replace("Wrong", "Another").replace("SIZE", "ORDER")
    again = f"from .one import Wrong\n{another}\nclass Subclass(Another):\n    pass\n"
    package = make_package(one=WRONG, two=again)
    found = entries(SPECIFICATION, package)
    assert [(entry.name, entry.spec) for entry in found] == [
        ("Wrong", f"{package}.one:Wrong"),
        ("Another", f"{package}.two:Another"),
    ]
    assert uncovered(SPECIFICATION, found) == [
        name for name in MUST if name not in ("QUEUE-SIZE", "QUEUE-ORDER")
    ]

"""Soaking: what is counted over many runs, what is kept, and what an interruption leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ENOUGH, Finished, Marked, finish, heed_interrupts
from elastic_timer_conformance.harness.death import Death
from elastic_timer_conformance.soak.load import Load
from elastic_timer_conformance.soak.tally import Count, Tally, runs_of_each

Soak = Callable[..., Finished]

# One test, which counts up to nothing.
ONE_TEST = ("--requirement=QUEUE-SIZE", "-k", "test_size and 5", "--allowance=0.1")


@pytest.fixture
def command(tmp_path: Path, marked: Marked) -> Callable[..., list[str]]:
    """A function that returns the command that soaks with these arguments."""
    marked.environment["ELASTIC_TIMER_COUNT"] = str(tmp_path / "count")

    def make(*arguments: str) -> list[str]:
        soak = [sys.executable, "-m", "elastic_timer_conformance", "soak"]
        soak += [f"--output={tmp_path / 'soak.json'}", f"--failures={tmp_path / 'failures'}"]
        return [*soak, *arguments]

    return make


@pytest.fixture
def soak(tmp_path: Path, marked: Marked, command: Callable[..., list[str]]) -> Soak:
    """A function that soaks to the end."""

    def run(*arguments: str) -> Finished:
        return finish(command(*arguments), tmp_path / "soak.json", marked)

    return run


def test_what_fails_at_times_is_counted_and_kept(soak: Soak, tmp_path: Path) -> None:
    done = soak("--backend=flaky_backend:FlakyBackend", "--times=7", "--no-busy", "--", *ONE_TEST)
    assert done.status == 1, done.output
    assert "requirements: 1, runs of each: 7, failed in some run: 1" in done.output
    assert "2/7   28.6%  QUEUE-SIZE  (run 3, 6)" in done.output
    assert "tests of the interface layer: 1, runs of each: 7, failed in some run: 1" in done.output
    assert "2/7   28.6%  suite/test_queue.py::test_size[5]  (run 3, 6)" in done.output
    assert "\n7 of 7 runs in " in done.output
    assert done.report["failed"] == [3, 6]
    assert done.report["requirements"] == [{"id": "QUEUE-SIZE", "runs": 7, "failed": [3, 6]}]
    [test] = done.report["tests"]
    assert (test["layer"], test["runs"], test["failed"]) == ("interface", 7, [3, 6])
    assert done.report["backend"]["name"] == "flaky"
    assert done.report["busy"] is False
    kept = sorted(path.name for path in (tmp_path / "failures").iterdir())
    assert kept == ["run-3.json", "run-3.txt", "run-6.json", "run-6.txt"]
    assert "5 requests were sent, and size() is 0" in (tmp_path / "failures/run-3.txt").read_text()


def test_what_never_fails_is_clean(soak: Soak, tmp_path: Path) -> None:
    done = soak("--backend=tiny_backends:TinyBackend", "--times=2", "--jobs=2", *ONE_TEST)
    assert done.status == 0, done.output
    assert done.report["failed"] == []
    assert done.report["busy"] is True
    assert done.report["command"].endswith(
        "soak --times=2 --jobs=2 --backend=tiny_backends:TinyBackend --requirement=QUEUE-SIZE "
        "-k 'test_size and 5' --allowance=0.1"
    )
    assert not (tmp_path / "failures").exists()


def test_a_run_without_a_report_is_a_failure(soak: Soak) -> None:
    done = soak("--backend=flaky_backend:KilledBackend", "--times=3", "--no-busy", *ONE_TEST)
    assert done.status == 1
    assert f"run 3 wrote no report; it ended with status {-signal.SIGABRT}" in done.output
    assert done.report["broken"] == [3]


def test_a_backend_that_does_not_exist_is_a_failure(soak: Soak) -> None:
    done = soak("--backend=no_such_module:Backend", "--times=1", "--no-busy")
    assert done.status == 1
    assert "run 1 wrote no report; it ended with status 4" in done.output


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [((), "--backend"), (("--backend=local", "--times=0"), "at least 1, not '0'")],
)
def test_a_wrong_command_is_explained(soak: Soak, arguments: tuple[str, ...], hint: str) -> None:
    done = soak(*arguments)
    assert done.status == 2
    assert hint in done.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_loses_nothing_and_leaves_nothing(
    command: Callable[..., list[str]], marked: Marked, tmp_path: Path, number: int
) -> None:
    process = subprocess.Popen(
        command("--backend=flaky_backend:FlakyBackend", "--times=10000", *ONE_TEST),
        env=marked.environment,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    summary = tmp_path / "soak.json"
    end = time.monotonic() + ENOUGH
    while not summary.exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(number)
    output, _ = process.communicate(timeout=ENOUGH)
    assert process.returncode == 2, output
    assert output.endswith("interrupted\n")
    document = json.loads(summary.read_text())
    assert document["runs"] >= 1
    assert f"{document['runs']} of 10000 runs" in output
    marked.wait_until_none()


def test_every_core_is_kept_busy() -> None:
    with Load() as load:
        deaths = [Death(pid) for pid in load.pids]
        places = [os.sched_getaffinity(pid) for pid in load.pids]
        end = time.monotonic() + ENOUGH
        while any(_used(pid) < 0.05 for pid in load.pids):
            assert time.monotonic() < end, "a burner does not burn"
            time.sleep(0.02)
            places = [os.sched_getaffinity(pid) for pid in load.pids]
    assert sorted(places, key=min) == [{core} for core in sorted(os.sched_getaffinity(0))]
    assert all(death.wait(ENOUGH) for death in deaths)


def _used(pid: int) -> float:
    """Return the seconds of processor time that a process has used (see proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")


def test_the_load_ends_with_whoever_wanted_it(marked: Marked) -> None:
    program = (
        "import os; from elastic_timer_conformance.soak.load import Load\n"
        "with Load(): os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=marked.environment)
    assert done.returncode == -signal.SIGKILL
    marked.wait_until_none()


def a_report(verdict: str, outcome: str, stale: bool = False) -> dict[str, Any]:
    return {
        "requirements": [{"id": "A", "verdict": verdict, "stale": stale}],
        "tests": [
            {"test": "test_a", "requirements": ["A"], "layer": "process", "outcome": outcome}
        ],
    }


def test_a_known_deviation_is_no_failure_and_a_stale_one_is() -> None:
    tally = Tally()
    tally.add(1, 0, a_report("deviates", "failed"))
    assert tally.is_clean
    assert (tally.tests["test_a"].runs, tally.tests["test_a"].failures) == (1, 0)
    tally.add(2, 1, a_report("conforms", "passed", stale=True))
    assert tally.requirements["A"].failed_in == [2]
    assert tally.tests["test_a"].failures == 0
    assert not tally.is_clean


def test_what_was_not_tested_is_not_counted() -> None:
    tally = Tally()
    tally.add(1, 0, a_report("not applicable", "not applicable"))
    assert (tally.requirements, tally.tests) == ({}, {})


def test_a_failure_that_no_test_explains_is_told() -> None:
    tally = Tally()
    tally.add(1, 1, a_report("conforms", "passed"))
    assert "run 1 failed though no test did; see what it printed" in list(tally.lines())


def test_a_rate_is_of_the_runs_in_which_it_was_tested() -> None:
    tally = Tally()
    for number in range(1, 4):
        tally.add(number, 0, a_report("conforms", "passed"))
    tally.add(4, 1, a_report("violates", "failed"))
    tally.add(5, 0, a_report("not run", "not applicable"))
    assert list(tally.lines()) == [
        "requirements: 1, runs of each: 4, failed in some run: 1",
        "        1/4   25.0%  A  (run 4)",
        "tests of the process layer: 1, runs of each: 4, failed in some run: 1",
        "        1/4   25.0%  test_a  (run 4)",
    ]


def test_runs_that_are_not_the_same_for_all_are_told_as_such() -> None:
    assert runs_of_each([Count(runs=30), Count(runs=1200), Count(runs=30)]) == "30 to 1,200"
    assert runs_of_each([]) == "0"


def test_no_runs_are_not_clean() -> None:
    assert not Tally().is_clean


def test_the_bound_without_a_failure() -> None:
    # The probability of so many runs without a failure at this rate is a twentieth.
    assert (1 - Count(runs=30).bound) ** 30 == pytest.approx(0.05)
    assert Count().bound == 1.0

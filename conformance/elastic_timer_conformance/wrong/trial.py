"""One wrong backend before the suite: is it caught, and is nothing else held against it?"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elastic_timer_spec import Specification

from elastic_timer_conformance.verdict import Outcome, TestResult, Verdict, judge
from elastic_timer_conformance.wrong.catalogue import Entry

__all__ = ["Trial", "try_out"]

# Seconds. The whole suite takes about one minute, and three where others keep the cores busy.
ENOUGH = 600.0

# The last lines of what a run printed that did not come to a report.
LINES = 15


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one wrong backend. It is passed when there are no problems."""

    entry: Entry
    problems: Sequence[str]
    """What is wrong with the suite or with the declaration, as sentences."""
    messages: Sequence[str] = ()
    """What the tests that caught it had to say."""
    tests: int = 0
    """How many tests were run."""
    seconds: float = 0.0


@dataclass
class _Evidence:
    results: dict[str, TestResult] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def try_out(entry: Entry, specification: Specification, *, whole: bool) -> Trial:
    """Let the suite judge a wrong backend.

    Args:
        entry: the wrong backend.
        specification: what it is judged by.
        whole: whether to run every test. Otherwise those of the requirements that it breaks are
            run, and all that need no worker processes.
    """
    start = time.monotonic()
    evidence = _Evidence()
    if whole:
        _run(entry, (), evidence)
    else:
        chosen = [f"--requirement={name}" for name in entry.broken]
        _run(entry, chosen, evidence)
        _run(entry, ["--layer=interface"], evidence)
    problems = evidence.problems or _problems(entry, specification, evidence.results)
    return Trial(
        entry,
        problems,
        _messages(entry, evidence.results),
        len(evidence.results),
        time.monotonic() - start,
    )


def _run(entry: Entry, arguments: Sequence[str], evidence: _Evidence) -> None:
    """Run a part of the suite and add its results to the evidence."""
    with tempfile.TemporaryDirectory(prefix="elastic-timer-wrong-") as directory:
        path = Path(directory) / "report.json"
        command = [sys.executable, "-m", "elastic_timer_conformance", "--backend", entry.spec]
        command += ["--report-json", str(path), *arguments]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=ENOUGH,
            )
        except subprocess.TimeoutExpired:
            evidence.problems.append(f"the suite has not come to an end after {ENOUGH:g} s")
            return
        if not path.exists():
            said = "\n".join(done.stdout.splitlines()[-LINES:])
            evidence.problems.append(f"the suite ended with status {done.returncode}:\n{said}")
            return
        document = json.loads(path.read_text(encoding="utf-8"))
    evidence.results.update({test["test"]: _result(test) for test in document["tests"]})


def _result(test: dict[str, Any]) -> TestResult:
    return TestResult(
        test["test"],
        tuple(test["requirements"]),
        Outcome(test["outcome"]),
        test["duration"],
        test["message"],
    )


def _problems(
    entry: Entry, specification: Specification, results: dict[str, TestResult]
) -> list[str]:
    deviations = {deviation.requirement: deviation for deviation in entry.backend.deviations}
    problems = []
    for requirement in specification.requirements.values():
        about = [result for result in results.values() if requirement.id in result.requirements]
        # What it does not claim is not selected, and so has no results.
        judgement = judge(requirement, about, deviations=deviations)
        if requirement.id in deviations and judgement.verdict is not Verdict.DEVIATES:
            problems.append(
                f"{requirement.id} is not caught: {judgement.verdict} after {len(about)} tests"
            )
        if judgement.verdict is Verdict.VIOLATES:
            failed = [result.test for result in about if result.outcome is Outcome.FAILED]
            problems.append(
                f"{requirement.id} is held against it too, by {', '.join(failed)}: "
                f"{judgement.reason}"
            )
    messages = _messages(entry, results)
    if not problems and not any(entry.breach.seen in message for message in messages):
        problems.append(
            f"no failure says {entry.breach.seen!r}. What was said: {'; '.join(messages)}"
        )
    return problems


def _messages(entry: Entry, results: dict[str, TestResult]) -> list[str]:
    return [
        result.message
        for result in results.values()
        if result.outcome is Outcome.FAILED and entry.breach.requirement in result.requirements
    ]

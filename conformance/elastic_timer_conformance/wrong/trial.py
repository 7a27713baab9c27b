"""One wrong backend before the suite: is it caught, and is nothing else held against it?"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
from elastic_timer_spec import Specification

from elastic_timer_conformance.verdict import Outcome, TestResult, Verdict, judge
from elastic_timer_conformance.wrong.catalogue import Entry
from elastic_timer_conformance.wrong.selection import OfTheseOrOfTheInterface
from elastic_timer_conformance.wrong.warm import run_suite

__all__ = ["Trial", "Trying", "problems_of"]

# pytest's status after a run of all tests that were selected, whether or not some have failed.
TO_THE_END = frozenset({pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED})

# The last lines of what a run printed that did not come to its end.
LINES = 15

# Sequences of steps for each test that compares the backend with the model, where not the whole
# suite is run: a quarter of what it tries otherwise, since that is half of the time.
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one wrong backend. It is passed when there are no problems."""

    entry: Entry
    problems: Sequence[str]
    """What is wrong with the suite or with the declaration, as sentences."""
    said: Sequence[str] = ()
    """What the tests that caught it had to say."""
    tests: int = 0
    """How many tests were run."""
    seconds: float = 0.0
    before: Sequence[str] = ()
    """If it was tried again alone: the problems that it had when others kept the machine busy."""


class Trying:
    """A wrong backend that the suite is judging, in a process of its own."""

    def __init__(
        self,
        entry: Entry,
        specification: Specification,
        context: ForkServerContext,
        directory: Path,
        *,
        whole: bool,
    ) -> None:
        """Start the process.

        Args:
            entry: the wrong backend.
            specification: what it is judged by.
            context: makes processes that have imported the suite.
            directory: for the report and the output.
            whole: whether to run every test. Otherwise those of the requirements that it breaks
                are run, and all that need no worker processes.
        """
        self._entry = entry
        self._specification = specification
        self._start = time.monotonic()
        self._killed = False
        self._report = directory / f"{entry.name}.json"
        self._report.unlink(missing_ok=True)  # of an earlier try
        self._output = directory / f"{entry.name}.txt"
        arguments = [f"--backend={entry.spec}", f"--report-json={self._report}"]
        plugins = []
        if not whole:
            arguments.append(f"--examples={EXAMPLES}")
            plugins.append(OfTheseOrOfTheInterface(frozenset(entry.broken)))
        self._process = context.Process(
            target=run_suite, args=(arguments, self._output, plugins), name=entry.name
        )
        self._process.start()

    @property
    def descriptor(self) -> int:
        """Readable when the process has ended."""
        return self._process.sentinel

    def interrupt(self) -> None:
        """Interrupt it as by Ctrl-C, so that it clears up."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """Kill it, since it takes too long."""
        self._killed = True
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        assert self._process.pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def finish(self) -> Trial:
        """Return what came of it, now that it has ended."""
        self._process.join()
        seconds = time.monotonic() - self._start
        results = self._results() if self._process.exitcode in TO_THE_END else None
        if results is None:
            return Trial(self._entry, [self._what_happened(seconds)], seconds=seconds)
        return Trial(
            self._entry,
            problems_of(self._entry, self._specification, results),
            _said(self._entry, results),
            len(results),
            seconds,
        )

    def _results(self) -> list[TestResult] | None:
        """Return what came of each test; None if there is no report, or not a whole one."""
        try:
            document = json.loads(self._report.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return [_result(test) for test in document["tests"]]

    def _what_happened(self, seconds: float) -> str:
        if self._killed:
            return f"the suite has not come to an end after {seconds:.0f} s"
        said = []
        # It may have been killed before it came to print anything.
        with contextlib.suppress(FileNotFoundError):
            said = self._output.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([f"the suite ended with status {self._process.exitcode}:", *said[-LINES:]])


def _result(test: Mapping[str, Any]) -> TestResult:
    return TestResult(
        test["test"],
        tuple(test["requirements"]),
        Outcome(test["outcome"]),
        test["duration"],
        test["message"],
    )


def problems_of(
    entry: Entry, specification: Specification, results: Sequence[TestResult]
) -> list[str]:
    """Return, as sentences, in what the suite's results differ from what is declared."""
    deviations = {deviation.requirement: deviation for deviation in entry.backend.deviations}
    problems = []
    for requirement in specification.requirements.values():
        about = [result for result in results if requirement.id in result.requirements]
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
    said = _said(entry, results)
    if not problems and not any(entry.breach.seen in message for message in said):
        problems.append(f"no failure says {entry.breach.seen!r}. What was said: {'; '.join(said)}")
    return problems


def _said(entry: Entry, results: Iterable[TestResult]) -> list[str]:
    """Return what the tests of the broken requirement that failed had to say."""
    return [
        result.message
        for result in results
        if result.outcome is Outcome.FAILED and entry.breach.requirement in result.requirements
    ]

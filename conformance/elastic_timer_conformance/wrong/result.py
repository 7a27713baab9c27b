"""What trying out a catalogue has come to, for a reader at a terminal and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from elastic_timer_conformance.run import Machine
from elastic_timer_conformance.wrong.trial import Trial

__all__ = ["Result", "write_json"]

# Changes when a reader of older documents could not read newer ones.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Result:
    """The trials of all entries that were chosen, and what no entry is about."""

    specification: str
    """The version of the specification that the wrong backends were judged by."""
    command: str
    """What repeats it."""
    whole: bool
    """Whether all tests were run for each."""
    started: float
    """In epoch seconds."""
    seconds: float
    trials: Sequence[Trial]
    missing: Sequence[str] = ()
    """The requirements that should have a wrong backend, and have none."""

    @property
    def caught(self) -> int:
        """How many were caught, and for nothing else."""
        return sum(not trial.problems for trial in self.trials)

    @property
    def tests(self) -> int:
        """How many tests were run for all of them together."""
        return sum(trial.tests for trial in self.trials)

    @property
    def passed(self) -> bool:
        """Whether there were any, each was caught, and none is missing."""
        return 0 < len(self.trials) == self.caught and not self.missing

    def lines(self) -> Iterator[str]:
        """Give what it has come to, in lines."""
        if self.missing:
            names = ", ".join(self.missing)
            yield f"FAILED: {len(self.missing)} requirements without a wrong backend: {names}"
        if not self.trials:
            yield "FAILED: there is no wrong backend"
        second = [trial.entry.name for trial in self.trials if trial.before and not trial.problems]
        if second:
            yield f"{len(second)} of them only when tried again alone: {', '.join(second)}"
        yield (
            f"{self.caught} of {len(self.trials)} wrong backends caught, and for nothing else, by "
            f"{self.tests:,} runs of tests in {self.seconds:.0f} s"
        )

    def as_document(self) -> dict[str, Any]:
        """Return it as a JSON document that `result.schema.json` describes."""
        return {
            "format": FORMAT,
            "specification": self.specification,
            "machine": asdict(Machine()),
            "command": self.command,
            "started": datetime.fromtimestamp(self.started, UTC).isoformat(timespec="seconds"),
            "duration": round(self.seconds, 1),
            "whole": self.whole,
            "passed": self.passed,
            "missing": list(self.missing),
            "backends": [_backend(trial) for trial in self.trials],
        }


def write_json(result: Result, path: Path) -> None:
    """Write the result's document to a file."""
    text = json.dumps(result.as_document(), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _backend(trial: Trial) -> dict[str, Any]:
    breach = trial.entry.breach
    return {
        "name": trial.entry.name,
        "requirement": breach.requirement,
        "how": breach.how,
        "seen": breach.seen,
        "implies": dict(breach.implies),
        "said": list(trial.said),
        "tests": trial.tests,
        "duration": round(trial.seconds, 1),
        "problems": list(trial.problems),
        "before": list(trial.before),
    }

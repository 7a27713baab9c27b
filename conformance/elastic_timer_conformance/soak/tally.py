"""Counting over many runs what was tested and what failed: a rate a requirement, a rate a test."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from elastic_timer_conformance.layer import Layer
from elastic_timer_conformance.verdict import Outcome, Verdict

__all__ = ["Count", "Tally", "runs_of_each"]

# What a requirement's verdict may be if it was tested.
TESTED = frozenset({Verdict.CONFORMS, Verdict.VIOLATES, Verdict.DEVIATES})

# The chance of being wrong with an upper bound; the usual one.
DOUBT = 0.05


@dataclass(slots=True)
class Count:
    """How often something was tested, and in which runs, by number, it failed."""

    runs: int = 0
    failed_in: list[int] = field(default_factory=list)

    @property
    def failures(self) -> int:
        """In how many runs it failed."""
        return len(self.failed_in)

    @property
    def rate(self) -> float:
        """Failures a run."""
        return self.failures / self.runs if self.runs else 0.0

    @property
    def bound(self) -> float:
        """With no failure: the largest rate at which as many runs without one have a chance of 5 %.

        Source: the binomial distribution; for many runs it is the "rule of three", 3 / runs.
        """
        return 1 - DOUBT ** (1 / self.runs) if self.runs else 1.0


@dataclass
class Tally:
    """What has come of the runs so far."""

    runs: int = 0
    """How many have come to a report."""
    failed: list[int] = field(default_factory=list)
    """The runs, by number, that ended with another status than 0."""
    broken: dict[int, int] = field(default_factory=dict)
    """The runs that wrote no report, with their exit status."""
    requirements: dict[str, Count] = field(default_factory=dict)
    tests: dict[str, Count] = field(default_factory=dict)
    layers: dict[str, Layer] = field(default_factory=dict)
    """The layer that each of the tests belongs to."""

    def add(self, number: int, status: int, report: Mapping[str, Any] | None) -> None:
        """Count a run."""
        if status != 0:
            self.failed.append(number)
        if report is None:
            self.broken[number] = status
            return
        self.runs += 1
        known = set()
        for entry in report["requirements"]:
            verdict = Verdict(entry["verdict"])
            if verdict is Verdict.DEVIATES:
                known.add(entry["id"])
            if verdict in TESTED:
                count = self.requirements.setdefault(entry["id"], Count())
                _add(count, number, failed=verdict is Verdict.VIOLATES or entry["stale"])
        for test in report["tests"]:
            outcome = Outcome(test["outcome"])
            if outcome is Outcome.NOT_APPLICABLE:
                continue
            # A failure over a known deviation is what was to be expected.
            failed = outcome is not Outcome.PASSED and not known & set(test["requirements"])
            _add(self.tests.setdefault(test["test"], Count()), number, failed=failed)
            self.layers[test["test"]] = Layer(test["layer"])

    @property
    def is_clean(self) -> bool:
        """Whether there were runs, and nothing failed in any of them."""
        return self.runs > 0 and not self.failed

    def lines(self) -> Iterator[str]:
        """Give what came of it, for a reader at a terminal."""
        for title, counts in self._groups():
            flaky = {name: count for name, count in counts.items() if count.failures}
            runs = runs_of_each(counts.values())
            yield f"{title}: {len(counts)}, runs of each: {runs}, failed in some run: {len(flaky)}"
            for name, count in sorted(flaky.items(), key=lambda item: -item[1].rate):
                share = f"{count.failures}/{count.runs}"
                yield f"  {share:>9}  {count.rate:6.1%}  {name}  (run {_numbers(count.failed_in)})"
        for number, status in self.broken.items():
            yield f"run {number} wrote no report; it ended with status {status}"
        unexplained = set(self.failed) - set(self.broken) - self._explained()
        for number in sorted(unexplained):
            yield f"run {number} failed though no test did; see what it printed"

    def _groups(self) -> Iterator[tuple[str, dict[str, Count]]]:
        """Give what is counted, by what it is."""
        yield "requirements", self.requirements
        for layer in Layer:
            of_layer = [name for name in self.tests if self.layers[name] is layer]
            if of_layer:
                yield f"tests of the {layer} layer", {name: self.tests[name] for name in of_layer}

    def _explained(self) -> set[int]:
        """Return the failed runs in which a test or a requirement failed."""
        counts = [*self.requirements.values(), *self.tests.values()]
        return {number for count in counts for number in count.failed_in}


def runs_of_each(counts: Collection[Count]) -> str:
    """Return in how many runs each was tested, as a number, or as two if they are not the same."""
    runs = sorted({count.runs for count in counts}) or [0]
    return f"{runs[0]:,}" if len(runs) == 1 else f"{runs[0]:,} to {runs[-1]:,}"


def _add(count: Count, number: int, *, failed: bool) -> None:
    count.runs += 1
    if failed:
        count.failed_in.append(number)


def _numbers(runs: list[int]) -> str:
    return ", ".join(map(str, runs))

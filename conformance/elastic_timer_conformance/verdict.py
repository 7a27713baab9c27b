"""From the results of tests to one verdict for each requirement. Knows nothing of pytest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from elastic_timer_spec import Level, Requirement

from elastic_timer_conformance.backend import Deviation
from elastic_timer_conformance.latency import Latency, Reap
from elastic_timer_conformance.layer import Layer

__all__ = ["Judgement", "Measurement", "Outcome", "TestResult", "Verdict", "judge"]


class Verdict(StrEnum):
    """What the run says about the backend and one requirement."""

    CONFORMS = "conforms"
    """Tested and met."""

    VIOLATES = "violates"
    """Tested and not met."""

    DEVIATES = "deviates"
    """Tested and not met, as the backend's author says."""

    NOT_CLAIMED = "not claimed"
    """Belongs to a capability that the backend does not claim, or is optional and not there."""

    NOT_APPLICABLE = "not applicable"
    """Every test of it said why it can tell nothing here."""

    NOT_RUN = "not run"
    """No test of it was run, or not those that could decide."""


class Outcome(StrEnum):
    """How one test ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"
    OUTDATED = "outdated"
    """Not run: it was last held against an earlier statement of its requirement."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A time that a test has measured, in seconds. Reported, never judged by."""

    name: str
    seconds: float


@dataclass(slots=True)
class TestResult:
    """What one test has found. `message` is what was seen, or why it is not applicable."""

    test: str
    requirements: tuple[str, ...]
    outcome: Outcome
    duration: float = 0.0
    message: str = ""
    measured: list[Measurement] = field(default_factory=list)
    reaps: list[Reap] = field(default_factory=list)
    layer: Layer = Layer.INTERFACE

    # Not a test class, whatever its name says to pytest.
    __test__ = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """A requirement's verdict, with its reason and what it rests on.

    `stale` tells that the requirement is met although the backend says that it deviates.
    `collected` is how many tests of it there are, run or not; None if that is not known.
    """

    requirement: Requirement
    verdict: Verdict
    reason: str = ""
    link: str = ""
    stale: bool = False
    results: Sequence[TestResult] = ()
    collected: int | None = 0

    @property
    def is_partial(self) -> bool:
        """Whether there are tests of the requirement that were not run, or may be."""
        return self.collected is None or len(self.results) < self.collected

    @property
    def share(self) -> str:
        """How many of its tests were run, in words."""
        if self.collected is None:
            return f"{len(self.results)} of its tests"
        return f"{len(self.results)} of {self.collected} tests"

    @property
    def latency(self) -> Latency:
        """How long after expiry the workers of its tests were reaped."""
        return Latency.of(reap for result in self.results for reap in result.reaps)

    @property
    def fails_the_run(self) -> bool:
        """Whether a run with this judgement in it is a failure."""
        return self.verdict is Verdict.VIOLATES or self.stale


def judge(
    requirement: Requirement,
    results: Iterable[TestResult],
    *,
    claimed: bool = True,
    deviations: Mapping[str, Deviation] | None = None,
    collected: int | None = 0,
) -> Judgement:
    """Return the verdict on one requirement.

    `results` are those of the tests that name it. `claimed` tells whether the backend claims the
    capability that the requirement belongs to, if any. `deviations` are the backend's, by id.
    `collected` is how many tests name the requirement, None if that is not known, for a run of some
    of them: that a deviation does not show in these does not make it stale.
    """
    known = deviations or {}
    results = tuple(results)

    def judgement(
        verdict: Verdict, reason: str = "", link: str = "", stale: bool = False
    ) -> Judgement:
        return Judgement(requirement, verdict, reason, link, stale, results, collected)

    if not claimed:
        return judgement(Verdict.NOT_CLAIMED, f"capability {requirement.capability!r}")
    failed = [result for result in results if result.outcome is Outcome.FAILED]
    # A test of several requirements that fails is held against those that are known to deviate,
    # and tells nothing about the others.
    against = [result for result in failed if requirement.id in blamed(result, known)]
    passed = [result for result in results if result.outcome is Outcome.PASSED]
    deviation = known.get(requirement.id)
    if against and deviation is not None:
        return judgement(Verdict.DEVIATES, deviation.reason, deviation.link)
    if against and requirement.level is Level.MAY and requirement.capability is None:
        return judgement(Verdict.NOT_CLAIMED, "optional, and not offered")
    outdated = [result for result in results if result.outcome is Outcome.OUTDATED]
    if against:
        return judgement(Verdict.VIOLATES, against[0].message)
    if outdated:
        return judgement(Verdict.NOT_RUN, outdated[0].message)
    if passed and deviation is not None and deviation.sometimes:
        reason = f"{deviation.reason} (not seen in this run)"
        return judgement(Verdict.DEVIATES, reason, deviation.link)
    if passed and deviation is not None:
        met = judgement(Verdict.CONFORMS, f"but was to deviate: {deviation.reason}", stale=True)
        if not met.is_partial:
            return met
        reason = f"its deviation does not show in {met.share}: {deviation.reason}"
        return judgement(Verdict.NOT_RUN, reason, deviation.link)
    if passed:
        return judgement(Verdict.CONFORMS)
    if failed:
        return judgement(Verdict.NOT_RUN, "its tests fail over a known deviation from another")
    if results:
        return judgement(Verdict.NOT_APPLICABLE, results[0].message)
    return judgement(Verdict.NOT_RUN)


def blamed(result: TestResult, deviations: Mapping[str, Deviation]) -> tuple[str, ...]:
    """Return the requirements that a failed test is held against."""
    known = tuple(name for name in result.requirements if name in deviations)
    return known or result.requirements

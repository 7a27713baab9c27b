"""From results to a verdict."""

from __future__ import annotations

from typing import Any

import pytest
from elastic_timer_conformance.backend import Deviation
from elastic_timer_conformance.verdict import Outcome, TestResult, Verdict, judge
from elastic_timer_spec import load

REQUIREMENTS = load().requirements
MUST = REQUIREMENTS["QUEUE-SIZE"]
OTHER = REQUIREMENTS["QUEUE-ORDER"]
MAY = REQUIREMENTS["EXPIRES-DECORATOR"]

PASSED, FAILED, NOT_APPLICABLE = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_APPLICABLE
OUTDATED = Outcome.OUTDATED
KNOWN = {MUST.id: Deviation(MUST.id, "it cannot count", "https://example.org")}


def results(*outcomes: Outcome, of: tuple[str, ...] = (MUST.id,)) -> list[TestResult]:
    return [
        TestResult(f"test_{number}", of, outcome, message=f"seen {number}")
        for number, outcome in enumerate(outcomes)
    ]


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([], Verdict.NOT_RUN),
        ([PASSED], Verdict.CONFORMS),
        ([PASSED, NOT_APPLICABLE], Verdict.CONFORMS),
        ([NOT_APPLICABLE, NOT_APPLICABLE], Verdict.NOT_APPLICABLE),
        ([FAILED], Verdict.VIOLATES),
        ([PASSED, FAILED], Verdict.VIOLATES),
        ([NOT_APPLICABLE, FAILED], Verdict.VIOLATES),
        ([OUTDATED], Verdict.NOT_RUN),
        ([OUTDATED, PASSED], Verdict.NOT_RUN),
        ([OUTDATED, FAILED], Verdict.VIOLATES),
    ],
)
def test_outcomes_make_a_verdict(outcomes: list[Outcome], verdict: Verdict) -> None:
    judgement = judge(MUST, results(*outcomes))
    assert judgement.verdict is verdict
    assert judgement.fails_the_run is (verdict is Verdict.VIOLATES)


def test_a_violation_tells_what_was_seen_first() -> None:
    assert judge(MUST, results(PASSED, FAILED, FAILED)).reason == "seen 1"


def test_a_known_deviation_that_fails_is_expected() -> None:
    judgement = judge(MUST, results(FAILED, PASSED), deviations=KNOWN)
    assert judgement.verdict is Verdict.DEVIATES
    assert judgement.reason == "it cannot count"
    assert judgement.link == "https://example.org"
    assert not judgement.fails_the_run


def test_a_known_deviation_that_passes_is_stale() -> None:
    judgement = judge(MUST, results(PASSED, NOT_APPLICABLE), deviations=KNOWN)
    assert judgement.verdict is Verdict.CONFORMS
    assert judgement.stale
    assert judgement.fails_the_run


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [([NOT_APPLICABLE], Verdict.NOT_APPLICABLE), ([], Verdict.NOT_RUN)],
)
def test_a_known_deviation_that_cannot_be_seen_is_not_stale(
    outcomes: list[Outcome], verdict: Verdict
) -> None:
    judgement = judge(MUST, results(*outcomes), deviations=KNOWN)
    assert judgement.verdict is verdict
    assert not judgement.fails_the_run


@pytest.mark.parametrize(("collected", "share"), [(3, "2 of 3 tests"), (None, "2 of its tests")])
def test_a_known_deviation_is_not_stale_on_part_of_its_tests(
    collected: int | None, share: str
) -> None:
    judgement = judge(MUST, results(PASSED, PASSED), deviations=KNOWN, collected=collected)
    assert judgement.verdict is Verdict.NOT_RUN
    assert judgement.reason == f"its deviation does not show in {share}: it cannot count"
    assert not judgement.fails_the_run


def test_a_known_deviation_that_shows_in_part_of_its_tests_deviates() -> None:
    judgement = judge(MUST, results(PASSED, FAILED), deviations=KNOWN, collected=3)
    assert judgement.verdict is Verdict.DEVIATES


@pytest.mark.parametrize(
    ("collected", "partial"), [(0, False), (2, False), (3, True), (None, True)]
)
def test_a_verdict_knows_whether_it_rests_on_all_tests(
    collected: int | None, partial: bool
) -> None:
    judgement = judge(MUST, results(PASSED, PASSED), collected=collected)
    assert judgement.verdict is Verdict.CONFORMS
    assert judgement.is_partial is partial


@pytest.mark.parametrize("outcome", [PASSED, FAILED])
def test_a_deviation_that_is_there_sometimes_is_never_stale(outcome: Outcome) -> None:
    known = {MUST.id: Deviation(MUST.id, "it miscounts at times", sometimes=True)}
    judgement = judge(MUST, results(outcome), deviations=known)
    assert judgement.verdict is Verdict.DEVIATES
    assert ("not seen in this run" in judgement.reason) is (outcome is PASSED)
    assert not judgement.fails_the_run


def test_what_is_not_claimed_is_not_judged() -> None:
    assert judge(MUST, results(FAILED), claimed=False).verdict is Verdict.NOT_CLAIMED


def test_an_option_that_is_not_offered_is_no_violation() -> None:
    judgement = judge(MAY, results(FAILED, of=(MAY.id,)))
    assert judgement.verdict is Verdict.NOT_CLAIMED
    assert not judgement.fails_the_run


@pytest.mark.parametrize(
    ("requirement", "known", "verdict"),
    [
        (MUST, {}, Verdict.VIOLATES),
        (OTHER, {}, Verdict.VIOLATES),
        (MUST, KNOWN, Verdict.DEVIATES),
        (OTHER, KNOWN, Verdict.NOT_RUN),
    ],
)
def test_a_failing_test_of_two_is_held_against_the_known_deviation(
    requirement: Any, known: dict[str, Deviation], verdict: Verdict
) -> None:
    failed = results(FAILED, of=(MUST.id, OTHER.id))
    assert judge(requirement, failed, deviations=known).verdict is verdict

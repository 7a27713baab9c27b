"""Every keyword is traced to what it came to, and every loose end is a finding."""

from __future__ import annotations

from pathlib import Path

import pytest
from elastic_timer_spec.keyword_extraction import extract
from elastic_timer_spec.mark import Mark
from elastic_timer_spec.specification import Area, Level, Profile, Requirement, Specification
from elastic_timer_spec.suite_source import SuiteSource, SuiteTest, WrittenMark
from elastic_timer_spec.traceability import (
    Fault,
    KeywordTrace,
    Traceability,
    explanations,
    trace,
)

INDEXED = """\
import a_module, get
class Scaffold: ...
class SuiteClass: ...
def size(): ...
def named(): ...
def helper(): ...
def loose(): ...
def test_there(): ...
def test_missing(): ...
"""


def requirement(requirement_id: str, profile: Profile, *keywords: str) -> Requirement:
    return Requirement(
        id=requirement_id,
        area="QUEUE",
        title=f"Title of {requirement_id}",
        level=Level.MUST,
        profile=profile,
        capability=None,
        statement="It MUST.",
        rationale="Why.",
        verification="How.",
        interface=("RequestQueue.size",),
        keywords=keywords,
        page="queue",
        digest="0" * 12,
    )


def marks(*texts: str) -> tuple[WrittenMark, ...]:
    return tuple(WrittenMark(Mark.parse(text), (1, 0), (1, 0)) for text in texts)


REQUIREMENTS = (
    requirement("QUEUE-TESTED", Profile.CORE, "named", "test_missing", "test_there"),
    requirement("QUEUE-UNTESTED", Profile.CORE, "naned"),
    requirement("QUEUE-ROBUST", Profile.ROBUST),
)
SPECIFICATION = Specification(
    version="1.0.0",
    areas=(Area("QUEUE", "Queues", "queue"),),
    requirements={entry.id: entry for entry in REQUIREMENTS},
    interface=("RequestQueue", "RequestQueue.get", "RequestQueue.size"),
    indexes=(
        extract(INDEXED, path="a.py"),
        extract("def size(): ...", path="b.py"),
    ),
)
SUITE = SuiteSource(
    folder=Path("suite"),
    tests=(
        SuiteTest(
            "TestQueue.test_there", "test_queue.py", 7, marks("QUEUE-TESTED", "QUEUE-TESTES")
        ),
        SuiteTest("test_other", "test_queue.py", 9, marks(f"QUEUE-TESTED@{'0' * 8}")),
        SuiteTest("test_old", "test_queue.py", 11, marks("QUEUE-TESTED@0123abcd")),
    ),
    names=frozenset({"helper", "SuiteClass", "TestQueue", "test_there", "test_other"}),
)
REASONS = {
    "Scaffold": "scaffolding",
    "get": "a module",
    "a_module": "a module",
    "gone": "was there once",
}


@pytest.fixture
def traceability() -> Traceability:
    return trace(SPECIFICATION, SUITE, REASONS)


def of(traceability: Traceability, keyword: str) -> KeywordTrace:
    (found,) = (entry for entry in traceability.keywords if entry.keyword == keyword)
    return found


def test_a_keyword_is_traced_to_all_that_bears_its_name(traceability: Traceability) -> None:
    size = of(traceability, "size")
    assert size.indexes == ("a.py", "b.py")
    assert size.interface == ("RequestQueue.size",)
    assert of(traceability, "named").requirements == ("QUEUE-TESTED",)
    assert of(traceability, "test_there").tests == ("TestQueue.test_there",)
    assert of(traceability, "helper").in_suite
    assert of(traceability, "SuiteClass").in_suite
    assert of(traceability, "Scaffold").reason == "scaffolding"


def test_a_module_is_not_taken_for_a_method_of_its_name(traceability: Traceability) -> None:
    assert of(traceability, "get").interface == ()


@pytest.mark.parametrize(
    ("keyword", "accounted_for"),
    [
        ("size", True),
        ("named", True),
        ("test_there", True),
        ("helper", True),
        ("SuiteClass", True),
        ("Scaffold", True),
        ("a_module", True),
        ("loose", False),
        # A requirement names it; yet the name of a test must be the name of a test.
        ("test_missing", False),
    ],
)
def test_what_accounts_for_a_keyword(
    traceability: Traceability, keyword: str, accounted_for: bool
) -> None:
    assert of(traceability, keyword).accounted_for is accounted_for


def test_requirements_are_traced_to_their_tests(traceability: Traceability) -> None:
    assert traceability.tests == {
        "QUEUE-TESTED": ("TestQueue.test_there", "test_other", "test_old"),
        "QUEUE-UNTESTED": (),
        "QUEUE-ROBUST": (),
    }


def test_each_loose_end_is_found_once_and_nothing_else(traceability: Traceability) -> None:
    found = {(finding.fault, finding.subject): finding.advice for finding in traceability.findings}
    assert len(found) == len(traceability.findings)
    assert set(found) == {
        (Fault.KEYWORD_UNACCOUNTED, "loose"),
        (Fault.KEYWORD_WITHOUT_TEST, "test_missing"),
        (Fault.KEYWORD_UNKNOWN, "naned"),
        (Fault.EXPLANATION_STALE, "gone"),
        (Fault.REQUIREMENT_UNTESTED, "QUEUE-UNTESTED"),
        (Fault.REQUIREMENT_UNKNOWN, "QUEUE-TESTES"),
        (Fault.TEST_OUTDATED, "QUEUE-TESTED"),
    }
    assert "did you mean named?" in found[Fault.KEYWORD_UNKNOWN, "naned"]
    unknown = found[Fault.REQUIREMENT_UNKNOWN, "QUEUE-TESTES"]
    assert "TestQueue.test_there (test_queue.py:7)" in unknown
    assert "did you mean QUEUE-TESTED?" in unknown
    outdated = found[Fault.TEST_OUTDATED, "QUEUE-TESTED"]
    assert outdated.startswith("test_old (test_queue.py:11) was looked at for 0123abcd")


def test_without_a_suite_nothing_is_traced_to_a_test() -> None:
    traceability = trace(SPECIFICATION, None, REASONS)
    assert not any(traceability.tests.values())
    assert not of(traceability, "helper").accounted_for
    assert of(traceability, "size").accounted_for


def test_every_explanation_of_this_package_gives_a_reason() -> None:
    reasons = explanations()
    assert reasons
    assert all(len(reason.split()) > 3 for reason in reasons.values())

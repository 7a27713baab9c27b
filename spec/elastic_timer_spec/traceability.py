"""From keyword to requirement to test: what each keyword came to, and what is left over.

A keyword is accounted for when a requirement names it, when it is an element of the interface,
when the suite defines something of that name, or when `explained.toml` gives a reason why none
of these is called for. A keyword that is the name of a test (`test_...`) has to be the name of a
test of the suite; nothing else will do.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources

from elastic_timer_spec.keyword_index import KeywordIndex
from elastic_timer_spec.specification import Profile, Specification
from elastic_timer_spec.suite_source import SuiteSource, SuiteTest

__all__ = ["Fault", "Finding", "KeywordTrace", "Traceability", "explanations", "trace"]


class Fault(StrEnum):
    """The kinds of loose ends."""

    KEYWORD_UNACCOUNTED = "keyword unaccounted for"
    KEYWORD_WITHOUT_TEST = "test keyword without a test"
    KEYWORD_UNKNOWN = "keyword that no index holds"
    EXPLANATION_STALE = "explanation of a keyword that no index holds"
    REQUIREMENT_UNTESTED = "core requirement without a test"
    REQUIREMENT_UNKNOWN = "test of an unknown requirement"
    TEST_OUTDATED = "test of an earlier statement"


@dataclass(frozen=True, slots=True)
class Finding:
    """One loose end: its kind, the keyword, requirement or test, and what is to be done."""

    fault: Fault
    subject: str
    advice: str


@dataclass(frozen=True, slots=True)
class KeywordTrace:
    """What one keyword came to.

    `indexes` are the paths of the indexed files that have it. `interface` are the elements of
    that name, `requirements` the ids of those that name it, `tests` the suite's tests of that
    name. `in_suite` tells whether the suite defines any function or class of that name. `reason`
    is the explanation of one that needs nothing, or None.
    """

    keyword: str
    indexes: tuple[str, ...]
    interface: tuple[str, ...]
    requirements: tuple[str, ...]
    tests: tuple[str, ...]
    in_suite: bool
    reason: str | None

    @property
    def is_test(self) -> bool:
        """Whether the keyword is the name of a test."""
        return self.keyword.startswith("test_")

    @property
    def accounted_for(self) -> bool:
        """Whether the keyword came to anything."""
        if self.is_test:
            return bool(self.tests)
        return bool(self.interface or self.requirements or self.in_suite or self.reason)


@dataclass(frozen=True, slots=True)
class Traceability:
    """Every keyword's trace, every requirement's tests, and the findings."""

    keywords: tuple[KeywordTrace, ...]
    tests: Mapping[str, tuple[str, ...]]
    findings: tuple[Finding, ...]


@cache
def explanations() -> Mapping[str, str]:
    """Return the reason, by keyword, why a keyword needs no requirement and no test."""
    text = resources.files("elastic_timer_spec").joinpath("explained.toml").read_text("utf-8")
    reasons: dict[str, str] = tomllib.loads(text)["keywords"]
    return reasons


def trace(
    specification: Specification,
    suite: SuiteSource | None,
    reasons: Mapping[str, str] | None = None,
) -> Traceability:
    """Trace every keyword of the specification's indexes, and every requirement to its tests.

    `suite` may be None where there is none at hand: then nothing is traced to a test. `reasons`
    are the explanations, by default those of this package.
    """
    reasons = explanations() if reasons is None else reasons
    traces = trace_keywords(specification.indexes, specification, suite, reasons)
    tests = suite.tests if suite else ()
    tested = {
        requirement_id: tuple(test.name for test in tests if requirement_id in test.requirements)
        for requirement_id in specification.requirements
    }
    findings = [
        *_loose_keywords(traces),
        *_unknown_keywords(specification, reasons),
        *_untested(specification, tested),
        *_unknown_requirements(specification, tests),
        *_outdated_tests(specification, tests),
    ]
    return Traceability(traces, tested, tuple(findings))


def trace_keywords(
    indexes: Iterable[KeywordIndex],
    specification: Specification,
    suite: SuiteSource | None,
    reasons: Mapping[str, str],
) -> tuple[KeywordTrace, ...]:
    """Trace the keywords of these indexes, which need not be the specification's own."""
    holders: dict[str, list[str]] = {}
    functions: set[str] = set()
    for index in indexes:
        functions |= {keyword.name for keyword in index.functions}
        for keyword in index.keywords:
            holders.setdefault(keyword, []).append(index.path)
    requirements = specification.requirements.values()
    tests = suite.tests if suite else ()
    return tuple(
        KeywordTrace(
            keyword=keyword,
            indexes=tuple(holders[keyword]),
            interface=tuple(
                name
                for name in specification.interface
                # Only a function can be a method: the module `time` is not `Clock.time`.
                if name == keyword or (keyword in functions and name.endswith(f".{keyword}"))
            ),
            requirements=tuple(entry.id for entry in requirements if keyword in entry.keywords),
            tests=tuple(test.name for test in tests if test.function == keyword),
            in_suite=suite is not None and keyword in suite.names,
            reason=reasons.get(keyword),
        )
        for keyword in sorted(holders)
    )


def _loose_keywords(traces: Iterable[KeywordTrace]) -> list[Finding]:
    findings = []
    for entry in traces:
        if entry.accounted_for:
            continue
        if entry.is_test:
            fault, advice = Fault.KEYWORD_WITHOUT_TEST, "the suite needs a test of this name"
        else:
            fault = Fault.KEYWORD_UNACCOUNTED
            advice = "name it under :keywords: of a requirement, or explain it in explained.toml"
        findings.append(Finding(fault, entry.keyword, f"{advice} ({', '.join(entry.indexes)})"))
    return findings


def _unknown_keywords(specification: Specification, reasons: Mapping[str, str]) -> list[Finding]:
    held = {keyword for index in specification.indexes for keyword in index.keywords}
    findings = [
        Finding(Fault.KEYWORD_UNKNOWN, keyword, f"{entry.id} names it{_hint(keyword, held)}")
        for entry in specification.requirements.values()
        for keyword in entry.keywords
        if keyword not in held
    ]
    findings += [
        Finding(Fault.EXPLANATION_STALE, keyword, "remove it from explained.toml")
        for keyword in reasons
        if keyword not in held
    ]
    return findings


def _untested(specification: Specification, tested: Mapping[str, object]) -> list[Finding]:
    return [
        Finding(Fault.REQUIREMENT_UNTESTED, entry.id, f"the suite has no test of it: {entry.title}")
        for entry in specification.requirements.values()
        if entry.profile is Profile.CORE and not tested[entry.id]
    ]


def _unknown_requirements(
    specification: Specification, tests: Iterable[SuiteTest]
) -> list[Finding]:
    known = specification.requirements
    return [
        Finding(
            Fault.REQUIREMENT_UNKNOWN,
            requirement_id,
            f"{test.name} ({test.file}:{test.line}) names it{_hint(requirement_id, known)}",
        )
        for test in tests
        for requirement_id in test.requirements
        if requirement_id not in known
    ]


def _outdated_tests(specification: Specification, tests: Iterable[SuiteTest]) -> list[Finding]:
    known = specification.requirements
    return [
        Finding(
            Fault.TEST_OUTDATED,
            written.mark.requirement,
            f"{test.name} ({test.file}:{test.line}) was looked at for {written.mark.digest}; see "
            f"python -m elastic_timer_spec reviewed",
        )
        for test in tests
        for written in test.marks
        if written.mark.requirement in known
        and written.mark.is_outdated(known[written.mark.requirement])
    ]


def _hint(wrong: str, known: Iterable[str]) -> str:
    alike = difflib.get_close_matches(wrong, list(known), n=1)
    return f"; did you mean {alike[0]}?" if alike else ""

"""Tables of requirements and keywords, made from the specification and the suite's source.

`requirements-table` lists every requirement with its tests, `keyword-matrix` follows every keyword
to the interface elements, requirements and tests that it came to, and `loose-ends` says what has
no next link. `clock-table` says by which clock the tests of the requirements in its content go. The
facts are those of `elastic_timer_spec.traceability`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from data_directives import add_data_directives
from elastic_timer_conformance.layer import Clock
from elastic_timer_spec import load
from elastic_timer_spec.suite_source import SuiteSource, find_suite, read_suite
from elastic_timer_spec.traceability import Fault, KeywordTrace, Traceability, trace
from markdown_tables import NOTHING, codes, needs, table
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Sequence

    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


@cache
def suite() -> SuiteSource:
    """Return the conformance suite, as its source says."""
    return read_suite(find_suite())


@cache
def traced() -> Traceability:
    """Return every keyword's trace and every requirement's tests."""
    return trace(load(), suite())


class _Table(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        for file in sorted(suite().folder.glob("**/*.py")):
            self.env.note_dependency(str(file))
        return self.parse_text_to_nodes(self.text())

    def text(self) -> str:
        raise NotImplementedError


class RequirementsTable(_Table):
    """Every requirement: id, title, level, profile, tests."""

    def text(self) -> str:
        rows = [
            (
                needs([entry.id]),
                entry.title,
                entry.level,
                entry.profile + (f" ({entry.capability})" if entry.capability else ""),
                codes(traced().tests[entry.id]),
            )
            for entry in load().requirements.values()
        ]
        return table("requirements", ("Id", "Requirement", "Level", "Profile", "Tests"), rows)


class KeywordMatrix(_Table):
    """Every keyword, and what it came to."""

    def text(self) -> str:
        return "\n\n".join(
            f"## {index.path.rpartition('/')[2]}\n\n`{index.path}`\n\n{self._matrix(index.path)}"
            for index in load().indexes
        )

    @staticmethod
    def _matrix(path: str) -> str:
        rows = [
            row for entry in traced().keywords if path in entry.indexes for row in _chain(entry)
        ]
        return table("keywords", ("Keyword", "Interface element", "Requirement", "Tests"), rows)


def _chain(entry: KeywordTrace) -> list[Sequence[str]]:
    """Return a keyword's rows: one for each of its requirements, with that one's tests."""
    keyword, interface = f"`{entry.keyword}`", codes(entry.interface)
    if not entry.requirements:
        return [(keyword, interface, NOTHING, codes(entry.tests, entry.reason or NOTHING))]
    rows = [(needs([each]), codes(traced().tests[each])) for each in entry.requirements]
    return [
        (keyword if first else "", interface if first else "", requirement, tests)
        for first, (requirement, tests) in zip(
            [True] + [False] * (len(rows) - 1), rows, strict=True
        )
    ]


class ClockTable(_Table):
    """For each requirement, the tests that are exact and those that go by real time."""

    has_content = True

    def text(self) -> str:
        rows = []
        for name in " ".join(self.content).split():
            if name not in load().requirements:
                raise self.error(f"there is no requirement {name!r}")
            tests = [test for test in suite().tests if name in test.requirements]
            columns = (
                [test.name for test in tests if Clock.of(test.fixtures) is clock] for clock in Clock
            )
            rows.append((needs([name]), *map(codes, columns)))
        return table("clocks", ("Requirement", "Exact", "In real time"), rows)


class LooseEnds(_Table):
    """What has no next link."""

    def text(self) -> str:
        findings = traced().findings
        if not findings:
            return f"Nothing is left over: {_summary(traced().keywords)}."
        rows = [
            (fault, str(len(subjects)), ", ".join(f"`{subject}`" for subject in subjects))
            for fault in Fault
            if (subjects := [entry.subject for entry in findings if entry.fault is fault])
        ]
        return table("loose-ends", ("What is missing", "Number", "Where"), rows)


def _summary(keywords: Sequence[KeywordTrace]) -> str:
    tested = sum(bool(tests) for tests in traced().tests.values())
    return (
        f"all {len(keywords)} keywords are accounted for, "
        f"and {tested} of {len(load().requirements)} requirements have tests"
    )


def setup(app: Sphinx) -> ExtensionMetadata:
    directives = {
        "requirements-table": RequirementsTable,
        "keyword-matrix": KeywordMatrix,
        "loose-ends": LooseEnds,
        "clock-table": ClockTable,
    }
    add_data_directives(app, directives)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""Tables of requirements and keywords, made from the specification and the suite's source.

`requirements-table` lists every requirement with its tests, `keyword-matrix` follows every keyword
to the interface elements, requirements and tests that it came to, and `loose-ends` says what has
no next link. `clock-table` says by which clock the tests of the requirements in its content go. The
facts are those of `elastic_timer_spec.traceability`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from elastic_timer_conformance.layer import Clock
from elastic_timer_spec import load
from elastic_timer_spec.suite_source import SuiteSource, find_suite, read_suite
from elastic_timer_spec.traceability import Fault, KeywordTrace, Traceability, trace
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

_NOTHING = "\N{EN DASH}"


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
                _needs([entry.id]),
                entry.title,
                entry.level,
                entry.profile + (f" ({entry.capability})" if entry.capability else ""),
                _codes(traced().tests[entry.id]),
            )
            for entry in load().requirements.values()
        ]
        return _table("requirements", ("Id", "Requirement", "Level", "Profile", "Tests"), rows)


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
        return _table("keywords", ("Keyword", "Interface element", "Requirement", "Tests"), rows)


def _chain(entry: KeywordTrace) -> list[Sequence[str]]:
    """Return a keyword's rows: one for each of its requirements, with that one's tests."""
    keyword, interface = f"`{entry.keyword}`", _codes(entry.interface)
    if not entry.requirements:
        return [(keyword, interface, _NOTHING, _codes(entry.tests, entry.reason or _NOTHING))]
    rows = [(_needs([each]), _codes(traced().tests[each])) for each in entry.requirements]
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
            rows.append((_needs([name]), *map(_codes, columns)))
        return _table("clocks", ("Requirement", "Exact", "In real time"), rows)


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
        return _table("loose-ends", ("What is missing", "Number", "Where"), rows)


def _summary(keywords: Sequence[KeywordTrace]) -> str:
    tested = sum(bool(tests) for tests in traced().tests.values())
    return (
        f"all {len(keywords)} keywords are accounted for, "
        f"and {tested} of {len(load().requirements)} requirements have tests"
    )


def _codes(names: Iterable[str], otherwise: str = _NOTHING) -> str:
    return " ".join(f"`{name}`" for name in names) or otherwise


def _needs(ids: Iterable[str]) -> str:
    return " ".join(f"{{need}}`{id_}`" for id_ in ids) or _NOTHING


def _table(name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{{.wide-table .{name}}}\n{body}\n"


class _Nothing(SphinxDirective):
    """Stands in where the pages are read for their requirements alone.

    The specification's data is made from such a reading, so it cannot be asked for here.
    """

    has_content = True

    def run(self) -> list[nodes.Node]:
        return []


def _add_directives(app: Sphinx) -> None:
    for name, directive in (
        ("requirements-table", RequirementsTable),
        ("keyword-matrix", KeywordMatrix),
        ("loose-ends", LooseEnds),
        ("clock-table", ClockTable),
    ):
        wanted = directive if app.builder.name != "needs" else _Nothing
        app.add_directive(name, wanted, override=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("builder-inited", _add_directives)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

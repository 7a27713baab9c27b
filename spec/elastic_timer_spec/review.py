"""Which tests have not been looked at since a statement was changed, and noting that they were."""

from __future__ import annotations

import ast
import difflib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from elastic_timer_spec.atomic_file import write_atomically
from elastic_timer_spec.mark import Mark
from elastic_timer_spec.specification import Requirement, Specification
from elastic_timer_spec.suite_source import SuiteError, SuiteSource, SuiteTest, WrittenMark

__all__ = ["Outdated", "UnknownTestError", "Update", "outdated", "reviewed"]


class UnknownTestError(ValueError):
    """No test of the requirement has the name that was given; the message has those that do."""


@dataclass(frozen=True, slots=True)
class Outdated:
    """Tests of one requirement that were last looked at for the statement of this digest.

    The digest is None for those that do not say what they were looked at for.
    """

    requirement: Requirement
    digest: str | None
    tests: Sequence[SuiteTest]


@dataclass(frozen=True, slots=True)
class Update:
    """A mark that has been written anew: in which file and line, what it was and what it is."""

    file: str
    line: int
    old: Mark
    new: Mark


def outdated(specification: Specification, suite: SuiteSource) -> list[Outdated]:
    """Return what is to be looked at, in the specification's order."""
    found: dict[Mark, list[SuiteTest]] = defaultdict(list)
    for test in suite.tests:
        for mark in dict.fromkeys(written.mark for written in test.marks):
            found[mark].append(test)
    return [
        Outdated(requirement, mark.digest, tests)
        for requirement in specification.requirements.values()
        for mark, tests in found.items()
        if mark.requirement == requirement.id and mark != Mark.of(requirement)
    ]


def reviewed(requirement: Requirement, suite: SuiteSource, names: Sequence[str]) -> list[Update]:
    """Note in the suite's source that tests of a requirement verify what it demands now.

    `names` are those of the tests: a function, a file, or both as pytest writes them; without
    any, all tests of the requirement are meant. Only marks are changed, and a file is written
    whole or not at all. Return what was changed; marks that are up to date are left alone.

    Raises UnknownTestError for a name that fits no test of the requirement, SuiteError where a
    mark cannot be changed, before anything is written.
    """
    new = Mark.of(requirement)
    tests = [test for test in suite.tests if requirement.id in test.requirements]
    edits: dict[str, set[WrittenMark]] = defaultdict(set)
    for test in _chosen(requirement, tests, names):
        for written in test.marks:
            if written.mark.requirement == requirement.id and written.mark != new:
                edits[test.file].add(written)
    texts = {file: _edited(suite.folder / file, edits[file], new) for file in sorted(edits)}
    for file, text in texts.items():
        write_atomically((suite.folder / file).resolve(), text)
    return [
        Update(file, written.start[0], written.mark, new)
        for file in texts
        for written in sorted(edits[file], key=lambda written: written.start)
    ]


def _chosen(
    requirement: Requirement, tests: Sequence[SuiteTest], names: Sequence[str]
) -> Iterable[SuiteTest]:
    for name in names:
        if not any(_fits(test, name) for test in tests):
            raise UnknownTestError(_advice(requirement, tests, name))
    return [test for test in tests if not names or any(_fits(test, name) for name in names)]


def _fits(test: SuiteTest, name: str) -> bool:
    """Tell whether a name is the test's: `test_x`, `test_file.py`, `test_file.py::test_x[id]`."""
    parts = name.partition("[")[0].split("::")
    file = parts.pop(0) if parts[0].endswith(".py") else ""
    function = ".".join(parts)
    in_file = not file or f"/{file}".endswith(f"/{test.file}")
    return in_file and function in ("", test.name, test.function)


def _advice(requirement: Requirement, tests: Sequence[SuiteTest], name: str) -> str:
    if not tests:
        return f"the suite has no test of {requirement.id}"
    known = [test.name for test in tests] + sorted({test.file for test in tests})
    alike = difflib.get_close_matches(name.rpartition("::")[2], known, n=2)
    hint = f"did you mean {' or '.join(alike)}?" if alike else f"there are {', '.join(known)}"
    return f"{name!r} is no test of {requirement.id}; {hint}"


def _edited(path: Path, edits: Iterable[WrittenMark], new: Mark) -> str:
    source = path.read_bytes()
    lines = source.splitlines(keepends=True)
    # From the end, so that what is changed moves nothing that is still to be changed.
    for written in sorted(edits, key=lambda written: written.start, reverse=True):
        (row, start), (last, end) = written.start, written.end
        line = lines[row - 1]
        text = line[start:end].replace(str(written.mark).encode(), str(new).encode())
        if row != last or _value(text) != str(new):
            raise SuiteError(
                f"{path}:{row}: this mark is written in a way that cannot be changed safely; "
                f"write {str(new)!r} yourself"
            )
        lines[row - 1] = line[:start] + text + line[end:]
    try:
        return b"".join(lines).decode()
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path} is not UTF-8: {error}") from None


def _value(literal: bytes) -> object:
    try:
        value: object = ast.literal_eval(literal.decode())
    except (SyntaxError, ValueError):
        return None
    return value

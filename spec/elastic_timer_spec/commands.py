"""What each subcommand of `python -m elastic_timer_spec` does; returns its exit status."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from elastic_timer_spec import generate as generation
from elastic_timer_spec.atomic_file import write_atomically
from elastic_timer_spec.ingest import ingest as ingest_pages
from elastic_timer_spec.keyword_extraction import extract_file
from elastic_timer_spec.keyword_index import KeywordIndex, KeywordIndexError
from elastic_timer_spec.keyword_rendering import render
from elastic_timer_spec.review import Outdated, outdated
from elastic_timer_spec.review import reviewed as note_reviewed
from elastic_timer_spec.specification import Requirement, Specification, load
from elastic_timer_spec.statement_history import earlier_statement, word_diff
from elastic_timer_spec.suite_source import SuiteError, SuiteSource, find_suite, read_suite
from elastic_timer_spec.traceability import Traceability, explanations, trace, trace_keywords

__all__ = ["check", "extract", "generate", "ingest", "reviewed", "show"]

# Columns, for what is read at a terminal.
_WIDTH: Final = 100
_INDENT: Final = " " * 6


def ingest(options: argparse.Namespace) -> int:
    """Take keyword index pages into the specification, and tell which keywords they leave open.

    A page that cannot be read is reported, and the others are taken all the same; the exit
    status is 2 then.
    """
    specification, suite = load(), _suite_if_any(options)
    broken = 0
    for result in ingest_pages(options.pages, options.output):
        if result.index is None:
            print(f"error: {result.error}", file=sys.stderr)
            broken += 1
            continue
        index = result.index
        print(f"{index.path}: {_counts(index)} -> {result.file}")
        for keyword in _open_keywords(index, result.new_keywords, specification, suite):
            print(f"  not accounted for: {keyword}")
    return 2 if broken else 0


def _suite_if_any(options: argparse.Namespace) -> SuiteSource | None:
    """Return the suite that was named, or else the installed one, or None if that is no use."""
    if named := getattr(options, "suite", None):
        return read_suite(named)
    try:
        return read_suite(find_suite())
    except SuiteError as error:
        print(f"note: no tests are known: {error}", file=sys.stderr)
        return None


def _counts(index: KeywordIndex) -> str:
    return f"{len(index.classes)} classes, {len(index.functions)} functions, " + (
        f"{len(index.imports)} imports"
    )


def _open_keywords(
    index: KeywordIndex,
    new: tuple[str, ...],
    specification: Specification,
    suite: SuiteSource | None,
) -> list[str]:
    traces = trace_keywords([index], specification, suite, explanations())
    return [entry.keyword for entry in traces if entry.keyword in new and not entry.accounted_for]


def extract(options: argparse.Namespace) -> int:
    """Print the keyword index of Python files as pages.

    A file that is not Python is reported, and the others are printed all the same; the exit
    status is 2 then.
    """
    broken = 0
    for file in options.files:
        try:
            print(render(extract_file(file)))
        except (KeywordIndexError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            print(f"error: {error}", file=sys.stderr)
            broken += 1
    return 2 if broken else 0


def check(options: argparse.Namespace) -> int:
    """Trace every keyword to a requirement and a test, and report what is left over.

    The suite's source is read, not imported. The exit status is 1 when anything is left over.
    """
    specification = load()
    suite = read_suite(options.suite or find_suite())
    traceability = trace(specification, suite)
    if options.json:
        print(json.dumps(_as_json(specification, suite, traceability), indent=2))
    else:
        _print_findings(specification, suite, traceability)
    return 1 if traceability.findings else 0


def _as_json(
    specification: Specification, suite: SuiteSource, traceability: Traceability
) -> dict[str, Any]:
    return {
        "version": specification.version,
        "suite": str(suite.folder),
        "keywords": [
            {**dataclasses.asdict(entry), "accounted_for": entry.accounted_for}
            for entry in traceability.keywords
        ],
        "tests": dict(traceability.tests),
        "findings": [dataclasses.asdict(finding) for finding in traceability.findings],
    }


def _print_findings(
    specification: Specification, suite: SuiteSource, traceability: Traceability
) -> None:
    for finding in traceability.findings:
        print(f"{finding.fault}: {finding.subject}\n  {finding.advice}")
    if traceability.findings:
        print()
        for fault, number in Counter(finding.fault for finding in traceability.findings).items():
            print(f"{number:5}  {fault}")
        print()
    accounted = sum(entry.accounted_for for entry in traceability.keywords)
    tested = sum(bool(tests) for tests in traceability.tests.values())
    print(f"indexes       {len(specification.indexes)}")
    print(f"keywords      {accounted} of {len(traceability.keywords)} accounted for")
    print(f"requirements  {tested} of {len(specification.requirements)} tested")
    print(f"tests         {len(suite.tests)} in {suite.folder}")


def show(options: argparse.Namespace) -> int:
    """Print one requirement: what it demands, why, how it is verified, and by which tests."""
    specification = load()
    requirement = specification.find(options.requirement)
    suite = _suite_if_any(options)
    print(_described(requirement))
    tests = trace(specification, suite).tests[requirement.id]
    print("Tests: " + (", ".join(tests) or "none"))
    return 0


def _described(requirement: Requirement) -> str:
    facts = {
        "Level": requirement.level,
        "Profile": requirement.profile,
        "Capability": requirement.capability or "",
        "Page": f"{requirement.page}.md",
        "Interface": ", ".join(requirement.interface),
        "Keywords": ", ".join(requirement.keywords),
        "Digest": requirement.digest,
    }
    title = f"{requirement.id}: {requirement.title}"
    lines = [title, "=" * len(title), ""]
    lines += [f"{label + ':':12}{value}" for label, value in facts.items() if value]
    lines += ["", requirement.statement, "", f"Rationale: {requirement.rationale}"]
    lines += ["", f"Verification: {requirement.verification}", ""]
    return "\n".join(lines)


def generate(options: argparse.Namespace) -> int:
    """Generate specification.json from the normative pages, the interface and the indexes.

    With --check, tell what would change, and exit with 1 if anything would.
    """
    document = generation.generate(
        generation.build_needs(options.docs), generation.PACKAGE / "keywords"
    )
    text = generation.render(document)
    file = options.output
    present = file.read_text(encoding="utf-8") if file.exists() else ""
    if text == present:
        print(f"{file} is up to date: {len(document['requirements'])} requirements")
        return 0
    for line in generation.differences(_decoded(present), document) or ["changed  its layout"]:
        print(line)
    if options.check:
        print(f"{file} is stale. To mend it: python -m elastic_timer_spec generate")
        return 1
    write_atomically(file, text)
    print(f"wrote {file}: {len(document['requirements'])} requirements")
    return 0


def _decoded(text: str) -> dict[str, Any]:
    """Return what a JSON text says, or nothing if it is none, as of a file cut short."""
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def reviewed(options: argparse.Namespace) -> int:
    """Note that tests verify what a requirement demands now, or list those that nobody looked at.

    A test names its requirement with the digest of the statement that it was last held against,
    as in @requirement("QUEUE-SIZE@0123abcd"). When the statement is changed, the test fails until
    somebody has looked at both, has changed the test where that is called for, and has said so
    with this command. It changes nothing but these marks.

    Without a requirement it changes nothing at all: it lists the tests that are out of date, with
    the words that were changed. The exit status is 1 when there are any.
    """
    specification, suite = load(), read_suite(options.suite or find_suite())
    if options.requirement is None:
        return _list_outdated(outdated(specification, suite), suite, options.suite)
    requirement = specification.find(options.requirement)
    updates = note_reviewed(requirement, suite, options.tests)
    for update in updates:
        print(f"{update.file}:{update.line}: {update.old} -> {update.new}")
    if not updates:
        print(f"{requirement.id}: these tests are up to date")
    return 0


def _list_outdated(entries: list[Outdated], suite: SuiteSource, folder: Path | None) -> int:
    for entry in entries:
        print("\n".join(_outdated_lines(entry, folder)), end="\n\n")
    named = {(test.file, test.name) for entry in entries for test in entry.tests}
    if named:
        requirements = {entry.requirement.id for entry in entries}
        print(f"tests to be looked at: {len(named)}, of requirements: {len(requirements)}")
    else:
        print(f"all {len(suite.tests)} tests are up to date with what they verify")
    return 1 if named else 0


def _outdated_lines(entry: Outdated, folder: Path | None) -> Iterator[str]:
    requirement = entry.requirement
    yield f"{requirement.id}: {requirement.title}"
    text = textwrap.indent(requirement.statement, _INDENT)
    if entry.digest is None:
        yield "  These tests do not say what they were looked at for; it demands:"
    else:
        now = requirement.digest[: len(entry.digest)]
        yield f"  Its statement was {entry.digest} when these tests were looked at, and is {now}:"
        file = generation.PACKAGE / "specification.json"
        earlier = earlier_statement(requirement.id, entry.digest, file)
        if earlier is not None:
            text = _wrapped(word_diff(earlier, requirement.statement))
    yield ""
    yield text
    yield ""
    yield from (f"  {test.file}:{test.line}: {test.name}" for test in entry.tests)
    option = f" --suite {folder}" if folder else ""
    yield f"  Once they verify that: python -m elastic_timer_spec reviewed {requirement.id}{option}"


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False
    )

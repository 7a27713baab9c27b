"""What each subcommand of `python -m elastic_timer_spec` does; returns its exit status."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections import Counter
from typing import Any

from elastic_timer_spec import generate as generation
from elastic_timer_spec.atomic_file import write_atomically
from elastic_timer_spec.ingest import ingest as ingest_pages
from elastic_timer_spec.keyword_extraction import extract_file
from elastic_timer_spec.keyword_index import KeywordIndex, KeywordIndexError
from elastic_timer_spec.keyword_rendering import render
from elastic_timer_spec.specification import Requirement, Specification, load
from elastic_timer_spec.suite_source import SuiteError, SuiteSource, find_suite, read_suite
from elastic_timer_spec.traceability import Traceability, explanations, trace, trace_keywords

__all__ = ["check", "extract", "generate", "ingest", "show"]


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

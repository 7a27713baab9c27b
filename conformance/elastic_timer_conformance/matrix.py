"""Several reports side by side: one row a requirement, one column a backend, as Markdown."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from elastic_timer_conformance.latency import Latency
from elastic_timer_conformance.report import FORMAT
from elastic_timer_conformance.verdict import Verdict

__all__ = ["ReportError", "as_markdown", "main", "read_report"]

Report = Mapping[str, Any]

# Symbols that look the same in every font, and words where something is to be looked at.
CELLS = {
    Verdict.CONFORMS: "✓",
    Verdict.VIOLATES: "✗ violates",
    Verdict.DEVIATES: "✗",
    Verdict.NOT_CLAIMED: "-",
    Verdict.NOT_APPLICABLE: "n/a",
    Verdict.NOT_RUN: "?",
}

LEGEND = (
    "✓ conforms; ✗ deviates: does not conform, as is known and said below; "
    "✗ violates: does not conform, and nobody said so; - not claimed: belongs to something "
    "optional that the backend does not offer; n/a: not applicable, it cannot be tested "
    "here; ? not run."
)


class ReportError(ValueError):
    """A file is no report of the suite, or reports do not go together; the message says why."""


def read_report(path: Path) -> Report:
    """Return the report in a file. Raises ReportError if it holds none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text"
        raise ReportError(f"{path}: {reason}") from None
    try:
        report = json.loads(text)
    except ValueError as error:
        raise ReportError(f"{path}: not a report, since it is not JSON: {error}") from None
    if not isinstance(report, dict) or "format" not in report:
        raise ReportError(f"{path}: not a report as --report-json writes it")
    if report["format"] != FORMAT:
        raise ReportError(
            f"{path}: a report of format {report['format']!r}, and this version of the suite reads "
            f"format {FORMAT}; make it anew"
        )
    return report


def as_markdown(
    reports: Sequence[Report], name_requirement: Callable[[str], str] = str
) -> Iterator[str]:
    """Give the lines: the runs, the verdicts, their totals, and the reasons for what is wrong.

    `name_requirement` writes an id, for instance as a link. Raises ReportError if the reports do
    not judge by the same specification.
    """
    rows = _requirements(reports)
    yield f"Specification {reports[0]['specification']}."
    yield ""
    yield _row(
        "Backend",
        "Version",
        "Run",
        "Python",
        "Reaped after expiry",
        "Early firings",
        "Repeat it with",
    )
    yield _row(*["---"] * 7)
    for report in reports:
        yield _row(
            _column(report),
            report["backend"]["version"],
            f"{report['started'][:10]}, {report['duration']:.0f} s",
            report["machine"]["python"],
            *_latency(report.get("latency")),
            f"`{report['command']}`",
        )
    yield ""
    yield _row("Requirement", "Level", *map(_column, reports))
    yield _row("---", "---", *[":-:"] * len(reports))
    verdicts = [
        {entry["id"]: Verdict(entry["verdict"]) for entry in report["requirements"]}
        for report in reports
    ]
    cells = [{entry["id"]: _cell(entry) for entry in report["requirements"]} for report in reports]
    for area, entries in groupby(rows, key=lambda entry: entry["area"]):
        yield _row(f"**{area}**", *[""] * (1 + len(reports)))
        for entry in entries:
            row = (column.get(entry["id"], CELLS[Verdict.NOT_RUN]) for column in cells)
            yield _row(name_requirement(entry["id"]), entry["level"], *row)
    for verdict in Verdict:
        totals = [
            sum(column.get(entry["id"], Verdict.NOT_RUN) is verdict for entry in rows)
            for column in verdicts
        ]
        if any(totals):
            yield _row(f"**{verdict}**", "", *(f"**{total}**" for total in totals))
    yield ""
    yield LEGEND
    for report in reports:
        yield from _reasons(report, name_requirement)


def _latency(seen: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return when workers were reaped, and how many too early; older reports do not tell."""
    if seen is None:
        return "-", "-"
    latency = Latency(**seen)
    return latency.times, f"{latency.early} of {latency.reaps}"


def _cell(entry: Mapping[str, Any]) -> str:
    """Return what is said of a requirement, and on how many of its tests it rests if not on all."""
    verdict = Verdict(entry["verdict"])
    run, collected = len(entry["tests"]), entry.get("collected", 0)
    if verdict is not Verdict.CONFORMS or (collected is not None and run >= collected):
        return CELLS[verdict]
    return f"{CELLS[verdict]} ({run} of {'?' if collected is None else collected} tests)"


def _requirements(reports: Sequence[Report]) -> list[Mapping[str, Any]]:
    """Return the requirements of all reports, each once, in the order of the fullest report."""
    versions = {report["specification"]: report for report in reports}
    if len(versions) > 1:
        judged = ", ".join(f"{_column(report)} by {name}" for name, report in versions.items())
        raise ReportError(f"the reports judge by different specifications: {judged}")
    found: dict[str, Mapping[str, Any]] = {}
    for report in sorted(reports, key=lambda report: -len(report["requirements"])):
        for entry in report["requirements"]:
            if found.setdefault(entry["id"], entry)["digest"] != entry["digest"]:
                raise ReportError(
                    f"the reports judge by different texts of {entry['id']}; make them anew"
                )
    areas = list(dict.fromkeys(entry["area"] for entry in found.values()))
    return sorted(found.values(), key=lambda entry: areas.index(entry["area"]))


def _reasons(report: Report, name_requirement: Callable[[str], str]) -> Iterator[str]:
    wrong = [
        entry
        for entry in report["requirements"]
        if entry["verdict"] in (Verdict.DEVIATES, Verdict.VIOLATES)
    ]
    if wrong:
        yield ""
        yield f"{_column(report)}:"
        yield ""
    for entry in wrong:
        reason = entry["reason"].splitlines()[0] if entry["reason"] else entry["verdict"]
        link = f" ([source]({entry['link']}))" if entry["link"] else ""
        yield f"- {name_requirement(entry['id'])}: {reason}{link}"


def _column(report: Report) -> str:
    return f"`{report['backend']['name']}`"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str]) -> None:
    """Be the command `matrix`: print the table of the reports in these files, or write it."""
    parser = argparse.ArgumentParser(
        prog="python -m elastic_timer_conformance matrix",
        description="Show reports of several backends side by side, as Markdown.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "reports",
        nargs="+",
        type=Path,
        metavar="REPORT.json",
        help="what a run with --report-json has written",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the table to this file (default: print)"
    )
    known = parser.parse_args(arguments)
    try:
        text = "\n".join(as_markdown([read_report(path) for path in known.reports])) + "\n"
    except ReportError as error:
        parser.error(str(error))
    if known.output is None:
        sys.stdout.write(text)
        return
    try:
        known.output.write_text(text, encoding="utf-8")
    except OSError as error:
        parser.error(f"{known.output}: {error.strerror}")

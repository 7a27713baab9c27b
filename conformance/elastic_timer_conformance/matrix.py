"""Several reports side by side: one row a requirement, one column a backend, as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from elastic_timer_conformance.report import FORMAT
from elastic_timer_conformance.verdict import Verdict

__all__ = ["ReportError", "as_markdown", "read_report"]

Report = Mapping[str, Any]

CELLS = {
    Verdict.CONFORMS: "✓",
    Verdict.VIOLATES: "✗ violates",
    Verdict.DEVIATES: "✗",
    Verdict.NOT_CLAIMED: "-",
    Verdict.NOT_APPLICABLE: "n/a",
    Verdict.NOT_RUN: "?",
}


class ReportError(ValueError):
    """A file is no report of the suite, or one that this version cannot read."""


def read_report(path: Path) -> Report:
    """Return the report in a file. Raises ReportError if it holds none."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{path}: {error}") from None
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise ReportError(f"{path}: not a report of format {FORMAT}")
    return report


def as_markdown(reports: Sequence[Report]) -> Iterator[str]:
    """Give the lines of a table of the reports' verdicts, and of the reasons for deviations."""
    versions = sorted({report["specification"] for report in reports})
    yield f"Specification {', '.join(versions)}"
    yield ""
    yield _row("Requirement", "Level", *(f"`{report['backend']['name']}`" for report in reports))
    yield _row("---", "---", *("---" for _ in reports))
    verdicts = [
        {entry["id"]: entry["verdict"] for entry in report["requirements"]} for report in reports
    ]
    for area, rows in groupby(_requirements(reports), key=lambda entry: entry["area"]):
        yield _row(f"**{area}**", "", *("" for _ in reports))
        for row in rows:
            cells = (CELLS[Verdict(column.get(row["id"], "not run"))] for column in verdicts)
            yield _row(row["id"], row["level"], *cells)
    yield _row(
        "**conforms**",
        "",
        *(f"{report['counts'][Verdict.CONFORMS]} of {_judged(report)}" for report in reports),
    )
    for report in reports:
        yield from _reasons(report)


def _requirements(reports: Sequence[Report]) -> list[Mapping[str, Any]]:
    """Return the requirements of all reports, each once, in the order of the fullest report."""
    found: dict[str, Mapping[str, Any]] = {}
    for report in sorted(reports, key=lambda report: -len(report["requirements"])):
        for entry in report["requirements"]:
            found.setdefault(entry["id"], entry)
    areas = list(dict.fromkeys(entry["area"] for entry in found.values()))
    return sorted(found.values(), key=lambda entry: areas.index(entry["area"]))


def _judged(report: Report) -> int:
    counts = report["counts"]
    return int(sum(counts[name] for name in (Verdict.CONFORMS, Verdict.VIOLATES, Verdict.DEVIATES)))


def _reasons(report: Report) -> Iterator[str]:
    wrong = [
        entry
        for entry in report["requirements"]
        if entry["verdict"] in (Verdict.DEVIATES, Verdict.VIOLATES)
    ]
    if wrong:
        backend = report["backend"]
        yield ""
        yield f"`{backend['name']}` ({backend['version']}):"
        yield ""
    for entry in wrong:
        reason = entry["reason"].splitlines()[0] if entry["reason"] else entry["verdict"]
        link = f" ([more]({entry['link']}))" if entry["link"] else ""
        yield f"- {entry['id']}: {reason}{link}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"

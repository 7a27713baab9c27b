"""Summaries of soaks, as `--output` writes them, in a table for a page."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from elastic_timer_conformance.soak.tally import Count

__all__ = ["FORMAT", "SummaryError", "as_markdown", "read_summary"]

# Changes when a reader of older summaries could not read newer ones.
FORMAT = 1

Summary = Mapping[str, Any]


class SummaryError(ValueError):
    """A file is no summary of a soak; the message says why."""


def read_summary(path: Path) -> Summary:
    """Return the summary in a file. Raises SummaryError if it holds none."""
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SummaryError(f"{path}: no summary of a soak: {error}") from None
    if not isinstance(summary, dict) or summary.get("format") != FORMAT or "asked" not in summary:
        raise SummaryError(f"{path}: no summary as this version's soak writes it; make it anew")
    return summary


def as_markdown(summaries: Sequence[Summary]) -> Iterator[str]:
    """Give the lines: what was run and how often, what failed, and what that says."""
    yield _row("", *(f"`{summary['backend']['name']}`" for summary in summaries))
    yield _row("---", *["--:"] * len(summaries))
    for title, cell in CELLS.items():
        yield _row(title, *(cell(summary) for summary in summaries))
    for summary in summaries:
        yield ""
        yield from _failures(summary)
        yield ""
        yield "```console"
        yield summary["command"]
        yield "```"


def _failures(summary: Summary) -> Iterator[str]:
    tests = {entry["id"]: Count(entry["runs"], entry["failed"]) for entry in summary["tests"]}
    flaky = {name: count for name, count in tests.items() if count.failures}
    name = f"`{summary['backend']['name']}`"
    if summary["failed"]:
        yield f"{name}: {len(summary['failed'])} of {len(summary['seconds'])} runs failed."
        yield ""
        for test, count in flaky.items():
            yield f"- `{test}`: {count.failures} of {count.runs} runs"
        return
    fewest = min((count.runs for count in tests.values()), default=0)
    yield (
        f"{name}: nothing failed. A test that fails by chance in {Count(fewest).bound:.1%} of all "
        "runs would have been seen to fail with a probability of 95 %."
    )


def _test_runs(summary: Summary) -> int:
    return sum(entry["runs"] for entry in summary["tests"])


def _failed_tests(summary: Summary) -> int:
    return sum(len(entry["failed"]) for entry in summary["tests"])


CELLS: Mapping[str, Callable[[Summary], str]] = {
    "Part of the suite": lambda summary: (
        f"`{shlex.join(summary['arguments'])}`" if summary["arguments"] else "all"
    ),
    "Runs": lambda summary: f"{summary['runs']} of {summary['asked']}",
    "Failed runs": lambda summary: f"{len(summary['failed'])}",
    "Requirements tested in each": lambda summary: f"{len(summary['requirements'])}",
    "Tests in each": lambda summary: f"{len(summary['tests'])}",
    "Tests run": lambda summary: f"{_test_runs(summary):,}",
    "Tests failed": lambda summary: f"{_failed_tests(summary)}",
    "Runs at once": lambda summary: f"{summary['jobs']}",
    "Every core kept busy besides": lambda summary: "yes" if summary["busy"] else "no",
    "Cores": lambda summary: f"{summary['machine']['cpus']}",
    "Load average, largest": lambda summary: f"{max(summary['load'], default=0):.1f}",
    "Time": lambda summary: f"{summary['duration'] / 60:.0f} min",
    "Date": lambda summary: summary["started"][:10],
    "Specification": lambda summary: summary["specification"],
    "Version": lambda summary: summary["backend"]["version"],
    "Python": lambda summary: summary["machine"]["python"],
}


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"

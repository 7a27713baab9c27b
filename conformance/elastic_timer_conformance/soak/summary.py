"""Summaries of soaks, as `--output` writes them, in a table for a page."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from elastic_timer_conformance.layer import Layer
from elastic_timer_conformance.soak.tally import Count, runs_of_each

__all__ = ["FORMAT", "SummaryError", "as_markdown", "read_summary"]

# Changes when a reader of older summaries could not read newer ones.
FORMAT = 1

Summary = Mapping[str, Any]


class SummaryError(ValueError):
    """A file is no summary of a soak, or of none that has come to anything; it says why."""


def read_summary(path: Path) -> Summary:
    """Return the summary in a file. Raises SummaryError if it holds none."""
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SummaryError(f"{path}: no summary of a soak: {error}") from None
    if not isinstance(summary, dict) or summary.get("format") != FORMAT or "asked" not in summary:
        raise SummaryError(f"{path}: no summary as this version's soak writes it; make it anew")
    if not summary["runs"]:
        raise SummaryError(f"{path}: none of its runs has come to a report")
    return summary


def as_markdown(
    summaries: Sequence[Summary], name_requirement: Callable[[str], str] = "`{}`".format
) -> Iterator[str]:
    """Give the lines: what was run and how often, what failed, and what that says.

    `name_requirement` writes an id, for instance as a link.
    """
    yield _row("", *(_name(summary) for summary in summaries))
    yield _row("---", *["--:"] * len(summaries))
    for title, cell in CELLS.items():
        yield _row(title, *(cell(summary) for summary in summaries))
    for summary in summaries:
        yield ""
        if summary["failed"]:
            yield from _failures(summary, name_requirement)
        else:
            yield _none_failed(summary)
        yield ""
        yield "```console"
        yield summary["command"]
        yield "```"


def _failures(summary: Summary, name_requirement: Callable[[str], str]) -> Iterator[str]:
    yield f"{_name(summary)}: {len(summary['failed'])} of {len(summary['seconds'])} runs failed."
    yield ""
    for name, count in _requirements(summary).items():
        if count.failures:
            yield f"- {name_requirement(name)}: {_rate(count)}"
    for name, count in _tests(summary).items():
        if count.failures:
            yield f"- `{name}`: {_rate(count)}"
    for number in summary["broken"]:
        yield f"- run {number} came to no report"


def _none_failed(summary: Summary) -> str:
    tests = _tests(summary)
    bound = Count(min((count.runs for count in tests.values()), default=0)).bound
    return (
        f"{_name(summary)}: nothing failed in any run. A test that fails by chance in "
        f"{bound:.1%} of all runs, or more often, would have been seen to fail with a probability "
        "of 95 %."
    )


def _rate(count: Count) -> str:
    return f"{count.failures} of {count.runs} runs ({count.rate:.1%})"


def _name(summary: Summary) -> str:
    return f"`{summary['backend']['name']}`"


def _requirements(summary: Summary) -> dict[str, Count]:
    return _counts(summary["requirements"])


def _tests(summary: Summary, layer: Layer | None = None) -> dict[str, Count]:
    tests = [entry for entry in summary["tests"] if layer in (None, entry["layer"])]
    return _counts(tests)


def _counts(entries: Sequence[Mapping[str, Any]]) -> dict[str, Count]:
    return {entry["id"]: Count(entry["runs"], entry["failed"]) for entry in entries}


def _of_each(counts: Mapping[str, Count]) -> str:
    """Return how many there are, and how often each was tested."""
    return f"{len(counts)} in {runs_of_each(counts.values())} runs each" if counts else "none"


def _cell_of(layer: Layer) -> Callable[[Summary], str]:
    return lambda summary: _of_each(_tests(summary, layer))


def _all(counts: Mapping[str, Count], what: Callable[[Count], int]) -> str:
    return f"{sum(map(what, counts.values())):,}"


CELLS: Mapping[str, Callable[[Summary], str]] = {
    "Part of the suite": lambda summary: (
        f"`{shlex.join(summary['arguments'])}`" if summary["arguments"] else "all"
    ),
    "Runs": lambda summary: f"{len(summary['seconds'])} of {summary['asked']}",
    "Runs that failed": lambda summary: f"{len(summary['failed'])}",
    "Requirements": lambda summary: _of_each(_requirements(summary)),
    **{f"Tests of the {layer} layer": _cell_of(layer) for layer in Layer},
    "Tests run in all": lambda summary: _all(_tests(summary), lambda count: count.runs),
    "Tests that failed": lambda summary: _all(_tests(summary), lambda count: count.failures),
    "Every core kept busy": lambda summary: "yes" if summary["busy"] else "no",
    "Runs at once": lambda summary: f"{summary['jobs']}",
    "Cores": lambda summary: f"{summary['machine']['cpus']}",
    "Load average, highest": lambda summary: f"{max(summary['load'], default=0):.1f}",
    "Duration": lambda summary: f"{summary['duration'] / 60:,.0f} min",
    "Date": lambda summary: summary["started"][:10],
    "Specification": lambda summary: summary["specification"],
    "Version": lambda summary: summary["backend"]["version"],
    "System": lambda summary: f"{summary['machine']['system']} {summary['machine']['release']}",
    "Python": lambda summary: summary["machine"]["python"],
}


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"

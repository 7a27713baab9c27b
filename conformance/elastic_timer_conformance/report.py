"""What a run has found, for a reader at a terminal and, as JSON, for other programs."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from elastic_timer_conformance.lesson import seen
from elastic_timer_conformance.run import Run, claimed_names
from elastic_timer_conformance.verdict import Judgement, TestResult, Verdict

__all__ = ["SYMBOLS", "as_document", "as_table", "conclusion", "remark", "write_json"]

# Changes when a reader of older reports could not read newer ones.
FORMAT = 1

SYMBOLS = {
    Verdict.CONFORMS: "✓",
    Verdict.VIOLATES: "✗",
    Verdict.DEVIATES: "!",
    Verdict.NOT_CLAIMED: "-",
    Verdict.NOT_APPLICABLE: "-",
    Verdict.NOT_RUN: "?",
}


def as_document(run: Run) -> dict[str, Any]:
    """Return the run as a JSON document that `report.schema.json` describes."""
    judgements = run.judgements()
    problems = run.problems()
    backend = run.backend
    return {
        "format": FORMAT,
        "specification": run.specification.version,
        "backend": {
            "name": backend.name,
            "spec": run.spec,
            "version": backend.version(),
            "start_methods": list(backend.start_methods),
            "capabilities": list(claimed_names(backend.capabilities)),
        },
        "machine": {
            name: getattr(run.machine, name)
            for name in ("system", "release", "architecture", "cpus", "root", "python")
        },
        "command": run.command(),
        "started": datetime.fromtimestamp(run.started, UTC).isoformat(timespec="seconds"),
        "duration": round(time.time() - run.started, 3),
        "allowance": {
            name: getattr(run.allowance, name) for name in ("signal", "silence", "startup")
        },
        "profiles": sorted(run.profiles),
        "passed": not problems,
        "problems": problems,
        "counts": {
            verdict: sum(entry.verdict is verdict for entry in judgements) for verdict in Verdict
        },
        "latency": asdict(run.latency),
        "requirements": [_requirement(entry) for entry in judgements],
        "tests": [_test(result) for result in run.results.values()],
    }


def write_json(run: Run, path: Path) -> None:
    """Write the run's document to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(as_document(run), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def as_table(run: Run) -> Iterator[str]:
    """Give the lines of a table of all verdicts, by area, and what they come to."""
    judgements = run.judgements()
    titles = {area.id: area.title for area in run.specification.areas}
    width = max((len(entry.requirement.id) for entry in judgements), default=0)
    for area, entries in groupby(judgements, key=lambda entry: entry.requirement.area):
        yield ""
        yield titles[area]
        for entry in entries:
            requirement = entry.requirement
            yield (
                f"  {SYMBOLS[entry.verdict]} {requirement.id:{width}}  {requirement.level:6}  "
                f"{entry.verdict:14}  {remark(entry)}"
            ).rstrip()
    counts = Counter(entry.verdict for entry in judgements)
    yield ""
    yield ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    if run.latency.reaps:
        yield f"Latency: {run.latency}"


def conclusion(run: Run) -> str:
    """Return in a sentence what a run without problems has shown, and no more than that."""
    partial = [entry for entry in run.judgements() if entry.is_partial]
    if not partial:
        return f"{run.backend.name} conforms, its deviations aside"
    return (
        f"{run.backend.name} has violated nothing, its deviations aside; but not all tests were "
        f"run of {len(partial)} requirement{'s' if len(partial) > 1 else ''}"
    )


def remark(judgement: Judgement) -> str:
    """Return what there is to say beside a verdict, in one line."""
    remarks = [judgement.share] if judgement.is_partial and judgement.results else []
    remarks += seen(judgement.reason)[:1] if judgement.reason else []
    if judgement.latency.reaps:
        remarks.append(str(judgement.latency))
    for name, seconds in _measured(judgement).items():
        remarks.append(f"{name}: {seconds * 1000:.1f} ms")
    return "; ".join(remarks)


def _measured(judgement: Judgement) -> dict[str, float]:
    """Return the largest of each time that was measured for a requirement, in seconds."""
    largest: dict[str, float] = {}
    for result in judgement.results:
        for entry in result.measured:
            largest[entry.name] = max(entry.seconds, largest.get(entry.name, 0.0))
    return largest


def _requirement(judgement: Judgement) -> dict[str, Any]:
    requirement = judgement.requirement
    return {
        "id": requirement.id,
        "area": requirement.area,
        "title": requirement.title,
        "level": str(requirement.level),
        "profile": str(requirement.profile),
        "digest": requirement.digest,
        "verdict": str(judgement.verdict),
        "reason": judgement.reason,
        "link": judgement.link,
        "stale": judgement.stale,
        "measured": _measured(judgement),
        "latency": asdict(judgement.latency) if judgement.latency.reaps else None,
        "tests": [result.test for result in judgement.results],
        "collected": judgement.collected,
    }


def _test(result: TestResult) -> dict[str, Any]:
    return {
        "test": result.test,
        "requirements": list(result.requirements),
        "layer": str(result.layer),
        "outcome": str(result.outcome),
        "duration": round(result.duration, 4),
        "message": result.message,
        "measured": {entry.name: entry.seconds for entry in result.measured},
        "reaps": [asdict(reap) for reap in result.reaps],
    }

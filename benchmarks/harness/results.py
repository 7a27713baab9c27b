"""The results of a run: as JSON with a published schema, and as objects again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..contenders import Side
from .summary import Summary, summarise

__all__ = ["SCHEMA", "EntrantResult", "MeasurementResult", "Results", "load", "save"]

SCHEMA = Path(__file__).parent / "results.schema.json"
"""The JSON schema of a file with results."""

_FORMAT = 1


@dataclass(slots=True)
class EntrantResult:
    """What was measured of one entrant: rounds of samples by quantity, or why it failed."""

    name: str
    label: str
    side: Side
    rounds: dict[str, list[list[float]]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def summary(self, quantity: str) -> Summary | None:
        """Return the summary of a quantity, or ``None`` if there is no sample of it."""
        rounds = self.rounds.get(quantity, [])
        return summarise(rounds) if any(rounds) else None


@dataclass(slots=True)
class MeasurementResult:
    """The answer to one question, and the settings that it was asked with."""

    name: str
    settings: Mapping[str, Any]
    entrants: dict[str, EntrantResult]


@dataclass(slots=True)
class Results:
    """Everything that one run on one machine has measured."""

    quick: bool
    date: str
    command: str
    seconds: float
    load: tuple[float, float]
    machine: dict[str, str | int]
    versions: dict[str, str]
    measurements: dict[str, MeasurementResult]


def save(results: Results, path: Path) -> None:
    """Write results, as the schema says; nobody ever sees half of a file."""
    document = {
        "format": _FORMAT,
        "quick": results.quick,
        "date": results.date,
        "command": results.command,
        "seconds": round(results.seconds, 1),
        "load": {"before": results.load[0], "after": results.load[1]},
        "machine": results.machine,
        "versions": results.versions,
        "measurements": {
            name: {
                "settings": dict(measurement.settings),
                "entrants": {
                    entrant.name: {
                        "label": entrant.label,
                        "side": str(entrant.side),
                        "errors": entrant.errors,
                        "rounds": {
                            quantity: [[_short(sample) for sample in samples] for samples in rounds]
                            for quantity, rounds in entrant.rounds.items()
                        },
                    }
                    for entrant in measurement.entrants.values()
                },
            }
            for name, measurement in results.measurements.items()
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    unfinished.replace(path)


def load(path: Path) -> Results:
    """Read results.

    Raises:
        ValueError: the file has another format.
    """
    document = json.loads(path.read_text("utf-8"))
    if document.get("format") != _FORMAT:
        raise ValueError(f"{path} has the format {document.get('format')!r}, not {_FORMAT}")
    return Results(
        quick=document["quick"],
        date=document["date"],
        command=document["command"],
        seconds=document["seconds"],
        load=(document["load"]["before"], document["load"]["after"]),
        machine=document["machine"],
        versions=document["versions"],
        measurements={
            name: MeasurementResult(
                name,
                measurement["settings"],
                {
                    key: EntrantResult(
                        key, entry["label"], Side(entry["side"]), entry["rounds"], entry["errors"]
                    )
                    for key, entry in measurement["entrants"].items()
                },
            )
            for name, measurement in document["measurements"].items()
        },
    )


def _short(sample: float) -> float:
    """Return a sample to six digits: more than any of them is worth."""
    if not math.isfinite(sample):
        raise ValueError(f"{sample!r} was measured")
    return float(f"{sample:.6g}")

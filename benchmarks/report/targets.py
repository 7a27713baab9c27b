"""The project's targets, and whether a run has met them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..contenders import CONTENDERS
from ..harness.measurement import Unit
from ..harness.results import Results
from ..harness.summary import ratio
from .figures import figure, times

__all__ = ["Verdict", "verdicts"]

_OURS = ("shared-memory", "local", "file")
_COUNTERPARTS = {"shared-memory": "torch-local", "local": "torch-local", "file": "torch-file"}
"""Whom each backend would take the place of; PyTorch has nothing in shared memory."""

_FLAT = 2.0
"""How much dearer a watchdog may be with a thousand times as many timers: less than the spread
between two runs of the same on one machine."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, what was measured, and whether that meets it; ``None`` if it was not measured."""

    target: str
    measured: str
    met: bool | None


def verdicts(results: Results) -> Iterator[Verdict]:
    """Yield a verdict for each target."""
    look = _Look(results)
    floor = "empty-contextmanager"
    yield look.at_most(
        "shared memory, explicit scope: no dearer than an empty contextmanager block",
        look.median("block", "shared-memory", "explicit"),
        look.median("block", floor, "explicit"),
        "s",
    )
    for quantity, what in (("explicit", "time in the block"), ("processor", "processor time")):
        yield look.cheaper(
            f"shared memory, explicit scope: 4x cheaper than PyTorch's local, {what}",
            "block",
            ("shared-memory", "torch-local"),
            quantity,
            4,
        )
    for name in _OURS:
        yield look.cheaper(
            f"{_label(name)}, default scope: 150x cheaper than {_label(_COUNTERPARTS[name])}",
            "block",
            (name, _COUNTERPARTS[name]),
            "default",
            150,
        )
    for name in _OURS:
        yield look.cheaper(
            f"{_label(name)}, idle watchdog with 1 M timers: 1,000x cheaper than"
            f" {_label(_COUNTERPARTS[name])}",
            "idle",
            (name, _COUNTERPARTS[name]),
            "1000000",
            1000,
        )
        yield look.flat(
            f"{_label(name)}, idle watchdog: flat from 1 k to 1 M timers",
            look.median("idle", name, "1000000"),
            look.median("idle", name, "1000"),
        )
    yield look.faster(
        "local: drains 10x as many requests a second as PyTorch's",
        look.median("drain", "local", "rate"),
        look.median("drain", "torch-local", "rate"),
        10,
    )
    for name in _OURS:
        yield look.at_most(
            f"{_label(name)}: detection delay at defaults, p99, under 5 ms",
            look.p99("delay", name, "delay"),
            5e-3,
            "s",
        )
    yield look.cheaper(
        "import: 20x cheaper than PyTorch's", "import", ("elastic_timer", "torch"), "seconds", 20
    )


class _Look:
    def __init__(self, results: Results) -> None:
        self._results = results

    def median(self, measurement: str, entrant: str, quantity: str) -> float:
        return self._value(measurement, entrant, quantity, "median")

    def p99(self, measurement: str, entrant: str, quantity: str) -> float:
        return self._value(measurement, entrant, quantity, "p99")

    def at_most(self, target: str, value: float, limit: float, unit: Unit) -> Verdict:
        if math.isnan(value) or math.isnan(limit):
            return _unmeasured(target)
        seen = f"{figure(value, unit)}, to be at most {figure(limit, unit)}"
        return Verdict(target, seen, value <= limit)

    def cheaper(
        self, target: str, measurement: str, names: tuple[str, str], quantity: str, factor: float
    ) -> Verdict:
        ours, theirs = (self.median(measurement, name, quantity) for name in names)
        if math.isnan(ours) or math.isnan(theirs):
            return _unmeasured(target)
        seen = f"{times(ratio(theirs, ours))}: {figure(ours, 's')}, and {figure(theirs, 's')}"
        return Verdict(target, seen, theirs >= factor * ours)

    def faster(self, target: str, ours: float, theirs: float, factor: float) -> Verdict:
        if math.isnan(ours) or math.isnan(theirs):
            return _unmeasured(target)
        seen = f"{times(ratio(ours, theirs))}: {figure(ours, '1/s')}, and {figure(theirs, '1/s')}"
        return Verdict(target, seen, ours >= factor * theirs)

    def flat(self, target: str, many: float, few: float) -> Verdict:
        if math.isnan(many) or math.isnan(few):
            return _unmeasured(target)
        seen = f"{times(ratio(many, few))}: {figure(few, 's')} to {figure(many, 's')}"
        return Verdict(target, seen, many <= _FLAT * few)

    def _value(self, measurement: str, entrant: str, quantity: str, statistic: str) -> float:
        found = self._results.measurements.get(measurement)
        result = found.entrants.get(entrant) if found else None
        summary = result.summary(quantity) if result else None
        return math.nan if summary is None else float(getattr(summary, statistic))


def _label(name: str) -> str:
    return CONTENDERS[name].label


def _unmeasured(target: str) -> Verdict:
    return Verdict(target, "not measured", None)

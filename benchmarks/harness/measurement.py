"""What a measurement is: a question, who is asked, and in which units the answer comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..contenders import CONTENDERS, Side

__all__ = ["Entrant", "Measurement", "Plan", "Quantity", "Samples", "Unit", "entrants"]

Samples = dict[str, list[float]]
"""What one run measured: samples by the id of their quantity."""

Unit = Literal["s", "1/s", "bytes", "count"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """One column of the answer.

    Args:
        id: the name under which samples of it are returned.
        title: the column's heading.
        unit: what the samples are in.
        higher_is_better: otherwise, less is.
        statistic: what stands for all samples in a table: a median, a percentile, or the total of
            things that were counted.
        compared: whether it makes sense to say how many times better one is than another.
    """

    id: str
    title: str
    unit: Unit
    higher_is_better: bool = False
    statistic: Literal["median", "p99", "maximum", "total"] = "median"
    compared: bool = True


@dataclass(frozen=True, slots=True)
class Entrant:
    """Somebody who takes part in one measurement.

    Args:
        name: unique in the measurement; up to a colon, it is the contender's name.
        label: what tables call it.
        side: whose it is.
        settings: what differs from the plan's settings.
    """

    name: str
    label: str
    side: Side
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def contender(self) -> str:
        """The key in :data:`benchmarks.contenders.CONTENDERS`, if it is one of those."""
        return self.name.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Args:
        entrants: who takes part, in the order of tables.
        rounds: how often everybody has a turn, in a new process each time.
        settings: what the measurement is told.
        time_limit: seconds after which one turn is given up; many times what it should take.
    """

    entrants: tuple[Entrant, ...]
    rounds: int
    settings: Mapping[str, Any]
    time_limit: float = 600.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """A question, and how it is answered.

    Args:
        name: what ``--only`` calls it.
        title: the heading of its table.
        method: how it is measured, in sentences for the reader of the results.
        quantities: the columns.
        reference: the entrant that the others are compared with.
        full, quick: how much is measured; quick figures only show that everything works.
        measure: takes the entrant's contender and the settings, in a process of its own.
    """

    name: str
    title: str
    method: str
    quantities: tuple[Quantity, ...]
    reference: str
    full: Plan
    quick: Plan
    measure: Callable[[str, Mapping[str, Any]], Samples]


def entrants(*names: str) -> tuple[Entrant, ...]:
    """Return contenders as they are, as entrants."""
    return tuple(Entrant(name, CONTENDERS[name].label, CONTENDERS[name].side) for name in names)

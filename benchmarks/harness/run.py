"""A run: everybody's turns, round by round."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..contenders import Side
from .machine import describe_machine, load_average, versions
from .measurement import Entrant, Measurement, Plan, Samples
from .progress import Progress
from .results import EntrantResult, MeasurementResult, Results
from .turn import TurnError, take_turn

__all__ = ["PYTORCH", "Step", "run", "steps"]

PYTORCH = importlib.util.find_spec("torch") is not None
"""Whether PyTorch is installed; without it, its timers take no part."""


@dataclass(frozen=True, slots=True)
class Step:
    """One entrant's turn in one round."""

    measurement: Measurement
    plan: Plan
    round: int
    entrant: Entrant


def steps(measurements: Sequence[Measurement], *, quick: bool) -> Iterator[Step]:
    """Yield the turns in their order.

    In each round everybody has a turn, beginning with another one each time: what a machine does
    in the meantime, it does to all of them.
    """
    for measurement in measurements:
        plan = measurement.quick if quick else measurement.full
        for number in range(plan.rounds):
            first = number % len(plan.entrants)
            for entrant in plan.entrants[first:] + plan.entrants[:first]:
                yield Step(measurement, plan, number, entrant)


def run(
    measurements: Sequence[Measurement],
    *,
    quick: bool,
    command: str,
    only_contenders: Sequence[str] = (),
    turn: Callable[[Measurement, Plan, Entrant], Samples] = take_turn,
) -> Results:
    """Measure everything, and return the results; a turn that fails is told there.

    Args:
        measurements: what to measure.
        quick: whether to measure just enough to see that it works.
        command: what was called, for whoever wants to call it again.
        only_contenders: names of contenders or entrants to measure; all, if there is none.
        turn: takes one turn.
    """
    todo = [
        step
        for step in steps(measurements, quick=quick)
        if (PYTORCH or step.entrant.side is not Side.PYTORCH)
        and (
            not only_contenders
            or {step.entrant.name, step.entrant.contender} & set(only_contenders)
        )
    ]
    progress = Progress([(step.measurement.name, step.entrant.name) for step in todo])
    results = Results(
        quick=quick,
        date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        command=command,
        seconds=0.0,
        load=(load_average(), 0.0),
        machine=describe_machine(),
        versions=versions(),
        measurements={},
    )
    began = time.monotonic()
    for step in todo:
        progress.begin(
            f"{step.measurement.name}: {step.entrant.label}, round {step.round + 1} of "
            f"{step.plan.rounds}"
        )
        result = _entrant_result(results, step)
        try:
            samples = turn(step.measurement, step.plan, step.entrant)
        except TurnError as error:
            result.errors.append(str(error))
        else:
            for quantity, values in samples.items():
                result.rounds.setdefault(quantity, []).append(values)
        progress.end()
    results.seconds = time.monotonic() - began
    results.load = results.load[0], load_average()
    return results


def _entrant_result(results: Results, step: Step) -> EntrantResult:
    name = step.measurement.name
    if name not in results.measurements:
        results.measurements[name] = MeasurementResult(
            name, {**step.plan.settings, "rounds": step.plan.rounds}, {}
        )
    entrants = results.measurements[name].entrants
    entrant = step.entrant
    if entrant.name not in entrants:
        entrants[entrant.name] = EntrantResult(entrant.name, entrant.label, entrant.side)
    return entrants[entrant.name]

"""Random runs of a model, the same ones each time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from elastic_timer_spec.exploration import Bounds, Events
from elastic_timer_spec.model.events import (
    AsksSize,
    Ends,
    EndsInSending,
    Event,
    Gets,
    Samples,
    ServerEnds,
    ServerStarts,
    ServerStops,
    TriesToReap,
)
from elastic_timer_spec.model.invariants import Step
from elastic_timer_spec.model.rules import Model
from elastic_timer_spec.model.state import initial

__all__ = ["walks"]

SEED = 20250101
# Enough for several watchdogs, and for a server to be replaced in between.
LENGTH = 40


def walks(
    model: Model, bounds: Bounds, number: int, allowed: Callable[[Event], bool] = lambda event: True
) -> Iterator[list[Step]]:
    """Yield so many runs, of the events that are allowed."""
    chosen = random.Random(SEED)
    possible = Events(model, bounds).possible
    for _ in range(number):
        steps = []
        before = initial(bounds.workers)
        for _ in range(LENGTH):
            events = [event for event in possible(before) if allowed(event)]
            weights = [_weight(event) for event in events]
            event = chosen.choices(events, weights)[0]
            steps.append(Step(model, before, event, model.after(before, event)))
            before = steps[-1].after
        yield steps


def _weight(event: Event) -> float:
    """Return how often something is to happen: ends seldom, so that there is a run until then."""
    if isinstance(event, Ends | EndsInSending | ServerEnds | ServerStops):
        return 0.2
    return 4.0 if isinstance(event, ServerStarts | Samples | AsksSize | Gets | TriesToReap) else 1.0

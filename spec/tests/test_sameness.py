"""States that are said to be the same go on in the same ways: no run is missed for it."""

from __future__ import annotations

import pytest
from elastic_timer_spec.exploration import Bounds, Events
from elastic_timer_spec.model.invariants import INVARIANTS, Step
from elastic_timer_spec.model.rules import DurableModel, Model
from elastic_timer_spec.model.sameness import Key, Sameness
from elastic_timer_spec.model.state import State

from spec.tests.model_walks import walks


@pytest.mark.parametrize("model", [Model(), DurableModel()], ids=["queue", "durable"])
@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(workers=2, scopes=2),
        Bounds(workers=1, scopes=2, unread=3),
        Bounds(workers=1, scopes=1, jumps=(-2, 2)),
    ],
    ids=["workers and scopes", "scopes", "a wall clock that jumps"],
)
def test_states_that_are_the_same_go_on_in_the_same_ways(model: Model, bounds: Bounds) -> None:
    sameness = Sameness(bounds.scopes, wall_clock=bool(bounds.jumps))
    events = Events(model, bounds)

    def ways(state: State) -> set[tuple[str, Key]]:
        return {
            (type(event).__name__, sameness.key(model.after(state, event)))
            for event in events.possible(state)
        }

    first: dict[Key, State] = {}
    different = 0
    for steps in walks(model, bounds, 150):
        for step in steps:
            other = first.setdefault(sameness.key(step.after), step.after)
            if other != step.after:
                assert ways(other) == ways(step.after), f"\n{other}\n{step.after}"
                different += 1
    # There were enough pairs to tell anything.
    assert different > 500


def test_what_makes_a_difference_is_told_apart() -> None:
    """By its key, each state of some runs is as sound as it is by itself, and no two that differ
    in what a server does next are the same."""
    model, bounds = Model(), Bounds()
    sameness = Sameness(bounds.scopes)
    steps_of: dict[Key, set[str]] = {}
    for steps in walks(model, bounds, 150):
        for step in steps:
            key = sameness.key(step.after)
            does = {type(event).__name__ for event in model.server_steps(step.after)}
            assert steps_of.setdefault(key, does) == does
            assert not _broken(step)


def _broken(step: Step) -> list[str]:
    return [
        invariant.name
        for invariant in INVARIANTS.values()
        if (not invariant.events or isinstance(step.event, invariant.events))
        and invariant.broken(step)
    ]

"""The right models break nothing, each wrong one breaks what it is there for, and it is noticed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from elastic_timer_spec.exploration import Bounds, Events, Level, explore
from elastic_timer_spec.explored import (
    RIGHT,
    Right,
    explore_right,
    explore_wrong,
    right_as_data,
    wrong_as_data,
)
from elastic_timer_spec.model.events import Event, ServerEnds, TimePasses
from elastic_timer_spec.model.invariants import INVARIANTS, Step
from elastic_timer_spec.model.rules import DurableModel, Model
from elastic_timer_spec.model.sameness import Sameness
from elastic_timer_spec.model.state import State, initial
from elastic_timer_spec.model.wrong import WRONG, Wrong

from spec.tests.model_walks import walks

FOUND = json.loads(
    (Path(__file__).parents[2] / "docs" / "data" / "exploration.json").read_text("utf-8")
)

# Steps. To go all the way takes most of a minute: that is for the session `spec`.
DEPTH = 6


@pytest.mark.parametrize("number", range(len(RIGHT)))
def test_the_right_models_break_nothing_and_the_page_tells_their_figures(number: int) -> None:
    found = explore_right(RIGHT[number], DEPTH)
    assert found.violation is None
    seen = right_as_data(RIGHT[number], found)
    written = FOUND["right"][number]
    assert seen["levels"] == written["levels"][:DEPTH]
    assert written["complete"] is (RIGHT[number].depth is None)
    further = {"levels", "complete"}
    assert {name: seen[name] for name in seen.keys() - further} == {
        name: written[name] for name in written.keys() - further
    }


@pytest.mark.parametrize("mistake", WRONG.values(), ids=WRONG)
def test_a_wrong_model_is_found_out_by_the_run_that_the_page_shows(mistake: Wrong) -> None:
    found = explore_wrong(mistake)
    assert found.violation is not None
    assert found.violation.invariant is INVARIANTS[mistake.breaks]
    assert wrong_as_data(mistake, found) in FOUND["wrong"]
    # Taken again, the last step of it breaks the invariant, and none before.
    steps = list(_steps(mistake.model(), mistake.workers, found.violation.events))
    assert [bool(found.violation.invariant.broken(step)) for step in steps[-1:]] == [True]
    assert not any(_breaks(step, mistake.breaks) for step in steps[:-1])
    # The same would have been found in one of the explorations of the right model.
    assert any(_contains(right, mistake, len(steps)) for right in RIGHT)


def test_every_invariant_is_broken_by_a_wrong_model() -> None:
    assert {mistake.breaks for mistake in WRONG.values()} == set(INVARIANTS)


def test_the_page_shows_no_other_models() -> None:
    assert [entry["name"] for entry in FOUND["wrong"]] == list(WRONG)
    assert len(FOUND["right"]) == len(RIGHT)


@pytest.mark.parametrize(
    "mistake",
    [each for each in WRONG.values() if each.workers == each.scopes == 1],
    ids=lambda mistake: mistake.name,
)
def test_there_is_no_shorter_run(mistake: Wrong) -> None:
    """By an exploration that tells all states apart, for those where that can be done."""
    found = explore_wrong(mistake)
    assert found.violation is not None
    depth = min(len(found.violation.events) - 1, DEPTH)
    exact = explore(
        mistake.model(), Bounds(1, 1), depth, [INVARIANTS[mistake.breaks]], same=lambda state: state
    )
    assert exact.violation is None


@pytest.mark.parametrize("model", [Model(), DurableModel()], ids=["queue", "durable"])
def test_telling_all_states_apart_leads_to_the_same_states(model: Model) -> None:
    bounds, depth = Bounds(), 4
    sameness = Sameness(bounds.scopes)
    keys = set()

    def same(state: State) -> State:
        keys.add(sameness.key(state))
        return state

    exact = explore(model, bounds, depth, same=same)
    assert exact.violation is None
    reduced = explore(model, bounds, depth)
    assert len(keys) == reduced.levels[-1].states < exact.levels[-1].states


def test_the_progress_of_every_depth_is_told() -> None:
    told: list[Level] = []
    found = explore(Model(), Bounds(1, 1), 3, progress=told.append)
    assert tuple(told) == found.levels
    assert [level.depth for level in told] == [1, 2, 3]
    assert not found.complete


def test_an_exploration_ends_by_itself_when_there_are_no_other_states() -> None:
    found = explore(DurableModel(), Bounds(1, 1))
    assert found.complete
    assert found.levels[-1].states == found.levels[-2].states


@pytest.mark.parametrize("model", [Model(), DurableModel()], ids=["queue", "durable"])
def test_every_kind_of_event_happens(model: Model) -> None:
    """There is no rule that the exploration never comes to."""
    bounds = Bounds(jumps=(-2, 2))
    happened = {type(step.event) for steps in walks(model, bounds, 100) for step in steps}
    missing = {kind.__name__ for kind in Event.__args__} - {kind.__name__ for kind in happened}
    # A store into a table of one's own is not sent.
    assert missing == ({"EndsInSending"} if model.durable else set())


def test_a_server_that_is_gone_is_sent_nothing_unless_it_is_durable() -> None:
    for model, events in ((Model(), False), (DurableModel(), True)):
        gone = model.after(initial(1), ServerEnds())
        possible = list(Events(model, Bounds(1, 1)).possible(gone))
        assert any(str(event).startswith("worker 0 acquires") for event in possible) is events
        assert TimePasses() in possible


def _steps(model: Model, workers: int, events: tuple[Event, ...]) -> Iterator[Step]:
    before = initial(workers)
    for event in events:
        after = model.after(before, event)
        yield Step(model, before, event, after)
        before = after


def _breaks(step: Step, name: str) -> bool:
    invariant = INVARIANTS[name]
    concerned = not invariant.events or isinstance(step.event, invariant.events)
    return concerned and bool(invariant.broken(step))


def _contains(right: Right, mistake: Wrong, length: int) -> bool:
    return (
        right.model.durable == mistake.model.durable
        and right.bounds.workers >= mistake.workers
        and right.bounds.scopes >= mistake.scopes
        and (right.depth is None or right.depth >= length)
    )

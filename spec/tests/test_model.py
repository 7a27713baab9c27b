"""What the model owes workers is what they are owed by their calls alone, seen from outside."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

import pytest
from elastic_timer_spec import load
from elastic_timer_spec.exploration import Bounds
from elastic_timer_spec.model import (
    events,
    invariants,
    promises,
    rules,
    sameness,
    state,
    timers,
    wrong,
)
from elastic_timer_spec.model.events import Acquires, Event, Releases, ServerEnds, TriesToReap
from elastic_timer_spec.model.invariants import INVARIANTS, Step
from elastic_timer_spec.model.promises import Call, Promises
from elastic_timer_spec.model.rules import DurableModel, Model
from elastic_timer_spec.model.timers import Outcome
from elastic_timer_spec.model.wrong import WRONG, Wrong

from spec.tests.model_walks import walks

MODULES = (events, invariants, promises, rules, sameness, state, timers, wrong)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_requirements_that_are_named_exist(module: ModuleType) -> None:
    named = set(re.findall(r"\b[A-Z]+(?:-[A-Z]+)+\b", inspect.getsource(module)))
    assert named <= set(load().requirements)


@pytest.mark.parametrize("invariant", INVARIANTS.values(), ids=INVARIANTS)
def test_an_invariant_is_one_sentence(invariant: invariants.Invariant) -> None:
    assert re.fullmatch(r"[A-Z][^.]*\.", invariant.statement)
    assert invariant.requirements


@pytest.mark.parametrize("mistake", WRONG.values(), ids=WRONG)
def test_a_wrong_model_says_in_a_sentence_how(mistake: Wrong) -> None:
    assert re.fullmatch(r"[A-Z][^.]*\.", mistake.how)
    assert mistake.breaks in INVARIANTS


@pytest.mark.parametrize("model", [Model(), DurableModel()], ids=["queue", "durable"])
def test_who_is_reaped_may_be_and_what_is_held_is_due(model: Model) -> None:
    reaped = due = 0
    for steps in walks(model, Bounds(), 600, _can_be_seen_from_outside):
        owed = Promises()
        for step in steps:
            for process in step.signalled:
                assert owed.may_be_reaped(process, step.before.now)
                reaped += 1
            owed = _followed(owed, step)
            for worker in step.after.workers:
                held = [hold for hold in owed.holds if hold.worker == worker.process]
                assert {(hold.scope, hold.deadline) for hold in held if hold.end is None} == {
                    (timer.scope, timer.deadline) for timer in worker.held
                }
                late = [t for t in worker.held if t.deadline <= step.after.now]
                spans = owed.must_be_reaped(worker.process)
                now = [span for span in spans if span.since <= step.after.now < span.until]
                assert len(now) == len(late)
                due += len(late)
    # There were enough of both to tell anything.
    assert reaped > 30
    assert due > 1000


def _can_be_seen_from_outside(event: Event) -> bool:
    """Return whether it is no exception from reaping: that takes timers away from a worker that
    holds them, and lives on."""
    return not (isinstance(event, TriesToReap) and event.outcome is Outcome.RAISES)


def _followed(owed: Promises, step: Step) -> Promises:
    """Return what is owed after a step, by calls and by ends of processes."""
    now = step.before.now
    match step.event:
        case Acquires(number, scope, after):
            process = step.before.workers[number].process
            return owed.acquired(process, scope, now + after, Call(now, now))
        case Releases(number, scope):
            return owed.released(step.before.workers[number].process, scope, Call(now, now))
        case ServerEnds() if not step.model.durable:
            return owed.lost(now)
    for worker in step.before.workers:
        if not step.after.lives(worker.process):
            owed = owed.gone(worker.process, now)
    return owed

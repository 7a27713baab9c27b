"""Finding a difference that shows again: looking for one, confirming it, and making it short."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.machine.machine import Machine, MakeRun
from elastic_timer_conformance.machine.minimise import Failure, minimised
from elastic_timer_conformance.machine.rules import Rules
from elastic_timer_conformance.machine.search import quiet, search, take
from elastic_timer_conformance.machine.trace import Step

__all__ = ["Effort", "Outcome", "find"]

# How often what was seen once is tried again before it counts as not to be seen again. Where real
# processes race, one that shows every other time is missed by this in one of thirty cases.
ATTEMPTS = 5

# Seconds to wait for what must come, while a sequence is made shorter: in many of these runs
# something does not come. What was found so counts only if it shows with all patience, too.
HASTE = 0.5

# Seconds that making a sequence shorter may take.
TIME_TO_MINIMISE = 30.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to look, and how closely."""

    examples: int
    """How many sequences are tried."""
    steps: int
    """How many steps a sequence has."""
    random_seed: int
    """The same one makes the same sequences; another one makes others."""
    patience: float
    """How long to wait for what must come, in seconds."""
    seconds: float
    """After this time no other sequence is begun."""


@dataclass
class Outcome:
    """What came of it."""

    tried: int = 0
    """How many sequences were tried."""
    seen: Failure | None = None
    """What was seen and is now being tried again."""
    found: Failure | None = None
    """The shortest sequence after which they differ."""
    requirements: tuple[str, ...] = ()
    """What that is held against."""
    unconfirmed: list[Failure] = field(default_factory=list)
    """What was seen once and not again."""


def find(
    machine: Machine,
    backend: Backend,
    name: str,
    parts: Collection[str],
    effort: Effort,
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> Outcome:
    """Look for steps after which a backend and the model differ, until some are found.

    `name` is what the command line knows the backend by. `tell` is called before each sequence, and
    when something was seen.
    """
    outcome = Outcome()
    end = time.monotonic() + effort.seconds
    with quiet(), machine.runs(backend, name, parts) as make_run:

        def make_rules(needed: bool) -> Rules:
            if not needed or time.monotonic() >= end or outcome.tried >= effort.examples:
                return machine.rules(None, parts)
            tell(outcome)
            outcome.tried += 1
            return machine.rules(make_run(effort.patience), parts)

        for seed in itertools.count(effort.random_seed):
            left = effort.examples - outcome.tried
            if left <= 0 or time.monotonic() >= end:
                break
            seen = search(make_rules, left, effort.steps, seed, costly=machine.is_costly)
            if seen is None:
                break
            outcome.seen = seen
            tell(outcome)
            shortest = _confirmed_and_shortened(machine, seen, make_run, effort.patience)
            if shortest is not None:
                outcome.found = shortest
                outcome.requirements = _held_against(machine, backend, shortest, make_run, effort)
                break
            outcome.seen = None
            outcome.unconfirmed.append(seen)
    return outcome


def _confirmed_and_shortened(
    machine: Machine, seen: Failure, make_run: MakeRun, patience: float
) -> Failure | None:
    """Return the shortest sequence that shows a difference again; None if not even this does."""
    confirmed, attempts = _repeated(seen[0], make_run, patience, ATTEMPTS)
    if confirmed is None:
        return None
    haste = min(patience, HASTE)

    def again(candidate: Sequence[Step]) -> Failure | None:
        return _repeated(candidate, make_run, haste, attempts)[0]

    shorter = minimised(confirmed, again, TIME_TO_MINIMISE, machine.plainer)
    if shorter is confirmed:
        return confirmed
    return _repeated(shorter[0], make_run, patience, ATTEMPTS)[0] or confirmed


def _repeated(
    steps: Sequence[Step], make_run: MakeRun, patience: float, attempts: int
) -> tuple[Failure | None, int]:
    """Take steps until they show a difference; return it, and how many attempts that took."""
    for number in range(1, attempts + 1):
        failure = take(lambda: make_run(patience), steps)
        if failure is not None:
            return failure, number
    return None, attempts


def _held_against(
    machine: Machine, backend: Backend, failure: Failure, make_run: MakeRun, effort: Effort
) -> tuple[str, ...]:
    """Return what a difference is held against: what is known to deviate takes it alone."""

    def again(steps: Sequence[Step]) -> Failure | None:
        return take(lambda: make_run(effort.patience), steps)

    candidates = machine.blamed(failure, again)
    deviations = {deviation.requirement for deviation in backend.deviations}
    known = tuple(name for name in candidates if name in deviations)
    return known or candidates[:1]

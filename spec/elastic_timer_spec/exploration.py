"""Exploring the model: every run within some bounds, looked at step by step, short runs first.

Source: that most mistakes show in a small instance, so that looking at all small ones is worth
more than looking at some large ones, is the "small scope hypothesis" of D. Jackson (Software
Abstractions, MIT Press, 2006).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import get_args

from elastic_timer_spec.model.events import (
    Acquires,
    Ends,
    EndsInSending,
    Event,
    IsReplacedByAnother,
    Releases,
    ServerEnds,
    ServerStarts,
    ServerStops,
    TimePasses,
    WallClockJumps,
)
from elastic_timer_spec.model.invariants import INVARIANTS, Invariant, Step
from elastic_timer_spec.model.rules import Model
from elastic_timer_spec.model.sameness import Sameness
from elastic_timer_spec.model.state import Server, State, initial

__all__ = ["Bounds", "Events", "Exploration", "Level", "Violation", "explore"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much there is of everything. What is not named here has no bound.

    One more bound is always there: a number is given to another process when the server has
    forgotten all about the one before the last.
    """

    workers: int = 2
    scopes: int = 2
    unread: int = 2
    """How many requests of a worker can be on their way at once (QUEUE-BACKPRESSURE)."""
    durations: tuple[int, ...] = (1, 2)
    """For how long timers are acquired."""
    jumps: tuple[int, ...] = ()
    """By how much the wall clock jumps, once."""


@dataclass(frozen=True, slots=True)
class Level:
    """What has been seen with runs of up to so many steps."""

    depth: int
    states: int
    transitions: int
    """How many steps have been looked at, from any state."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A run that breaks an invariant with its last step; there is no shorter one."""

    invariant: Invariant
    message: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Exploration:
    """What came of an exploration."""

    levels: tuple[Level, ...]
    complete: bool
    """Whether all states have been seen that there are, however long a run is."""
    violation: Violation | None = None


def explore(
    model: Model,
    bounds: Bounds,
    depth: int | None = None,
    invariants: Iterable[Invariant] | None = None,
    progress: Callable[[Level], None] = lambda level: None,
    same: Callable[[State], Hashable] | None = None,
) -> Exploration:
    """Take every step that there is, up to a depth, and see whether it keeps the invariants.

    Args:
        model: whose states are explored.
        bounds: how much there is of everything.
        depth: how many steps a run has at most; None for as many as lead to anything new.
        invariants: what has to hold; by default, all. The first breach ends the exploration.
        progress: is told of every depth that is done.
        same: gives a state its key; states with equal keys are looked at once. By default, the key
            is `Sameness`.
    """
    if same is None:
        same = Sameness(bounds.scopes, wall_clock=bool(bounds.jumps)).key
    search = _Search(model, bounds, INVARIANTS.values() if invariants is None else invariants, same)
    levels: list[Level] = []
    violation = None
    while search.frontier and violation is None and (depth is None or len(levels) < depth):
        violation = search.go_deeper()
        levels.append(Level(len(levels) + 1, len(search.seen), search.transitions))
        progress(levels[-1])
    return Exploration(tuple(levels), not search.frontier, violation)


class _Search:
    """A search in breadth: what has been seen, and the states from which it goes on."""

    def __init__(
        self,
        model: Model,
        bounds: Bounds,
        invariants: Iterable[Invariant],
        same: Callable[[State], Hashable],
    ) -> None:
        self.transitions = 0
        self.seen: set[Hashable] = set()
        self.frontier: list[tuple[int, State]] = []
        self._model = model
        self._events = Events(model, bounds)
        invariants = tuple(invariants)
        self._of_states = [each for each in invariants if not each.events]
        self._of_event = {
            event: [each for each in invariants if event in each.events]
            for event in get_args(Event)
        }
        self._same = same
        # How each state was first reached: from which, by its number, and by what.
        self._origins: list[tuple[int, Event]] = []
        self._is_new(initial(bounds.workers), (0, TimePasses()))

    def go_deeper(self) -> Violation | None:
        """Take every step from the frontier; return the first breach."""
        frontier, self.frontier = self.frontier, []
        for number, before in frontier:
            for event in self._events.possible(before):
                after = self._model.after(before, event)
                self.transitions += 1
                step = Step(self._model, before, event, after)
                invariants = self._of_event[type(event)]
                if self._is_new(after, (number, event)):
                    invariants = [*invariants, *self._of_states]
                for invariant in invariants:
                    if message := invariant.broken(step):
                        return Violation(invariant, message, (*self._run(number), event))
        return None

    def _is_new(self, state: State, origin: tuple[int, Event]) -> bool:
        """Return whether a state has not been seen; if so, go on from it later."""
        key = self._same(state)
        if key in self.seen:
            return False
        self.seen.add(key)
        self.frontier.append((len(self._origins), state))
        self._origins.append(origin)
        return True

    def _run(self, number: int) -> Iterator[Event]:
        """Yield the events that lead to a state, from the beginning."""
        events = []
        while number:
            number, event = self._origins[number]
            events.append(event)
        yield from reversed(events)


class Events:
    """What can happen in a state, within the bounds."""

    def __init__(self, model: Model, bounds: Bounds) -> None:
        self._model = model
        self._bounds = bounds
        scopes = range(bounds.scopes)
        self._sends: list[list[Event]] = [
            [
                *(Releases(w, scope) for scope in scopes),
                *(Acquires(w, scope, d) for scope in scopes for d in bounds.durations),
                *([] if model.durable else [EndsInSending(w)]),
            ]
            for w in range(bounds.workers)
        ]

    def possible(self, state: State) -> Iterator[Event]:
        """Yield every event that can be the next one."""
        can_send = self._model.can_send(state)
        for number, worker in enumerate(state.workers):
            if worker.lives:
                yield Ends(number)
                if can_send and self._has_room(state, number):
                    yield from self._sends[number]
            elif self._can_be_replaced(state, number):
                yield IsReplacedByAnother(number)
        yield TimePasses()
        if not state.wall:
            yield from map(WallClockJumps, self._bounds.jumps)
        yield from self._model.server_steps(state)
        if state.server is Server.RUNNING:
            if state.watchdog is None:
                yield ServerStops()
            yield ServerEnds()
        else:
            yield ServerStarts()
            if state.server is Server.STOPPED:
                yield ServerEnds()

    def _has_room(self, state: State, number: int) -> bool:
        unread = 0
        for sent in state.transit:
            unread += sent.worker.number == number
        return unread < self._bounds.unread

    def _can_be_replaced(self, state: State, number: int) -> bool:
        """Return whether nothing is known of a process that had the number before the last one."""
        known = [each.worker for each in (*state.table, *state.transit)]
        if state.watchdog is not None:
            known += [*state.watchdog.tried, *(timer.worker for timer in state.watchdog.late)]
        last = state.workers[number].process
        return all(process == last for process in known if process.number == number)

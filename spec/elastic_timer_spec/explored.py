"""What is explored, and what came of it: the right models hold, and each wrong one is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from elastic_timer_spec.exploration import Bounds, Exploration, Level, explore
from elastic_timer_spec.model.invariants import INVARIANTS
from elastic_timer_spec.model.rules import DurableModel, Model
from elastic_timer_spec.model.wrong import Wrong

__all__ = ["RIGHT", "Right", "explore_right", "explore_wrong", "right_as_data", "wrong_as_data"]

Progress = Callable[[Level], None]


@dataclass(frozen=True, slots=True)
class Right:
    """A model that is right, and how far its states are explored: to the end, without a depth."""

    model: type[Model]
    bounds: Bounds
    depth: int | None = None

    @property
    def variant(self) -> str:
        """The name of the model."""
        return "durable" if self.model.durable else "queue"


RIGHT: Final = (
    # Everything at once. It is the depth that is bounded: each step more takes four times as long.
    Right(Model, Bounds(workers=2, scopes=2), depth=8),
    # Less of everything, and no bound on the length of a run.
    Right(Model, Bounds(workers=1, scopes=2)),
    Right(Model, Bounds(workers=2, scopes=1, unread=1)),
    Right(Model, Bounds(workers=1, scopes=1, jumps=(-2, 2))),
    Right(DurableModel, Bounds(workers=2, scopes=2), depth=9),
    Right(DurableModel, Bounds(workers=1, scopes=2)),
    Right(DurableModel, Bounds(workers=2, scopes=1)),
)


def explore_right(
    right: Right, depth: int | None = None, progress: Progress = lambda level: None
) -> Exploration:
    """Explore a right model, to a depth of one's own if it is given and less."""
    depths = [each for each in (right.depth, depth) if each is not None]
    return explore(right.model(), right.bounds, min(depths, default=None), progress=progress)


def explore_wrong(wrong: Wrong, depth: int | None = None) -> Exploration:
    """Explore a wrong model until the invariant that it is there for is broken."""
    bounds = Bounds(wrong.workers, wrong.scopes)
    return explore(wrong.model(), bounds, depth, [INVARIANTS[wrong.breaks]])


def right_as_data(right: Right, found: Exploration) -> dict[str, Any]:
    """Return what came of an exploration, as JSON has it."""
    return {
        "variant": right.variant,
        "workers": right.bounds.workers,
        "scopes": right.bounds.scopes,
        "unread": right.bounds.unread,
        "durations": list(right.bounds.durations),
        "jumps": list(right.bounds.jumps),
        "complete": found.complete,
        "levels": [[level.states, level.transitions] for level in found.levels],
    }


def wrong_as_data(wrong: Wrong, found: Exploration) -> dict[str, Any]:
    """Return how a wrong model was found out, as JSON has it."""
    violation = found.violation
    return {
        "name": wrong.name,
        "how": wrong.how,
        "made_by": wrong.made_by,
        "variant": "durable" if wrong.model.durable else "queue",
        "breaks": wrong.breaks,
        "message": violation.message if violation else "",
        "run": [str(event) for event in violation.events] if violation else [],
    }

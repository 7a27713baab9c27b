"""How a wrong backend says what it breaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from elastic_timer_conformance.backend import Backend, Deviation

__all__ = ["Breach", "breach_of", "breaks"]

Wrong = TypeVar("Wrong", bound=type[Backend])

_BREACH = "breach"


@dataclass(frozen=True, slots=True)
class Breach:
    """What a wrong backend breaks, and what a reader of the suite's failure gets to see."""

    requirement: str
    """The requirement that is violated."""
    how: str
    """What the backend does instead, in a sentence."""
    seen: str
    """Words that a failure message of a test of the requirement contains."""
    implies: Mapping[str, str] = field(default_factory=dict)
    """Other requirements that cannot be met then, each with the reason."""


def breaks(
    requirement: str, *, seen: str, implies: Mapping[str, str] | None = None
) -> Callable[[Wrong], Wrong]:
    """Declare what a backend breaks; the first line of its docstring says how.

    The backend is given a name and its deviations by it: a deviation is tested all the same, has
    to fail, and does not make anything else fail unnoticed.

    Args:
        requirement: the id of the requirement that the backend breaks.
        seen: words that the failure message of one of its tests has to contain.
        implies: requirements that are broken with it, and why that cannot be avoided.
    """

    def declare(backend: Wrong) -> Wrong:
        how = (backend.__doc__ or "").strip().partition("\n")[0]
        if not how:
            raise ValueError(f"{backend.__name__} does not say in its docstring how it is wrong")
        breach = Breach(requirement, how, seen, dict(implies or {}))
        backend.name = backend.__name__
        backend.deviations = (
            Deviation(requirement, how),
            *(Deviation(other, why) for other, why in breach.implies.items()),
        )
        setattr(backend, _BREACH, breach)
        return backend

    return declare


def breach_of(backend: type[Backend]) -> Breach | None:
    """Return what a backend has been declared to break, by itself and not by a base."""
    breach: Breach | None = vars(backend).get(_BREACH)
    return breach

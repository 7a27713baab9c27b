"""All wrong backends, and which requirements have none yet."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from elastic_timer_spec import Level, Specification

from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.wrong import backends
from elastic_timer_conformance.wrong.breach import Breach, breach_of

__all__ = ["Entry", "entries", "uncovered"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One wrong backend: what `--backend` takes, the class, and what it breaks."""

    spec: str
    backend: type[Backend]
    breach: Breach

    @property
    def name(self) -> str:
        """The backend's name, unique in the catalogue."""
        return self.backend.__name__

    @property
    def broken(self) -> tuple[str, ...]:
        """The requirements that it violates, the one that it is about first."""
        return (self.breach.requirement, *self.breach.implies)


def entries(specification: Specification) -> list[Entry]:
    """Return the catalogue in the order of the specification.

    Raises:
        UnknownRequirementError: a wrong backend names a requirement that does not exist.
        ValueError: two wrong backends have the same name.
    """
    found: dict[str, Entry] = {}
    for entry in _declared():
        if entry.name in found:
            raise ValueError(f"two wrong backends are called {entry.name}; rename one of them")
        for name in entry.broken:
            specification.find(name)
        found[entry.name] = entry
    order = {name: number for number, name in enumerate(specification.requirements)}
    return sorted(found.values(), key=lambda entry: order[entry.breach.requirement])


def uncovered(specification: Specification, catalogue: Iterable[Entry]) -> list[str]:
    """Return the ids of the MUST requirements that no entry of the catalogue is about."""
    covered = {entry.breach.requirement for entry in catalogue}
    return [
        requirement.id
        for requirement in specification.requirements.values()
        if requirement.level is Level.MUST and requirement.id not in covered
    ]


def _declared() -> Iterator[Entry]:
    for module_info in pkgutil.iter_modules(backends.__path__, f"{backends.__name__}."):
        module = importlib.import_module(module_info.name)
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Backend):
                breach = breach_of(value)
                if breach is not None and value.__module__ == module.__name__:
                    yield Entry(f"{module.__name__}:{value.__name__}", value, breach)

"""All wrong backends of a package, and which requirements have none yet."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from elastic_timer_spec import Level, Specification

from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.wrong.breach import Breach, breach_of

__all__ = ["BACKENDS", "CatalogueError", "Entry", "entries", "uncovered"]

BACKENDS = "elastic_timer_conformance.wrong.backends"
"""The package with the wrong backends that the suite is judged by."""


class CatalogueError(ValueError):
    """A package is no catalogue of wrong backends; the message says why."""


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


def entries(specification: Specification, package: str = BACKENDS) -> list[Entry]:
    """Return the catalogue in the order of the specification.

    `package` is the name of a package, whose modules hold wrong backends, or of one such module.

    Raises:
        CatalogueError: it cannot be imported, or two wrong backends in it have the same name.
        UnknownRequirementError: a wrong backend names a requirement that does not exist.
    """
    found: dict[str, Entry] = {}
    for entry in _declared(package):
        if entry.name in found:
            raise CatalogueError(f"two wrong backends are called {entry.name}; rename one of them")
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


def _declared(package: str) -> Iterator[Entry]:
    for module in _modules(package):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Backend):
                breach = breach_of(value)
                if breach is not None and value.__module__ == module.__name__:
                    yield Entry(f"{module.__name__}:{value.__name__}", value, breach)


def _modules(package: str) -> Iterator[ModuleType]:
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise CatalogueError(f"{package}: {error}") from None
    yield module
    for each in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{package}."):
        yield importlib.import_module(each.name)

"""What a session has found out, in a form that is kept with the site's source."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .mutant import Change

__all__ = ["Module", "Results", "Survivor", "load", "save"]


@dataclass(frozen=True, slots=True)
class Survivor:
    """A mutant that the suite has let pass."""

    change: Change
    operator: str
    """cosmic-ray's name for the kind of change."""


@dataclass(frozen=True, slots=True)
class Module:
    """What came of the mutants of one module."""

    name: str
    mutants: int
    """How many there are, without those that are not tried."""
    annotations: int
    """How many change an annotation only; they are not tried."""
    invalid: int
    """How many are no Python; they are not tried."""
    killed: int
    survivors: Sequence[Survivor]

    @property
    def tried(self) -> int:
        """How many were tried; if not all, chosen by chance."""
        return self.killed + len(self.survivors)


@dataclass(frozen=True, slots=True)
class Results:
    """What came of all modules."""

    date: str
    commit: str
    """What was mutated, and judged by its own suite."""
    command: str
    versions: Mapping[str, str]
    controls: int
    """How many runs changed nothing."""
    controls_passed: int
    modules: Sequence[Module]

    @property
    def tried(self) -> Sequence[Module]:
        """The modules of which at least some mutants were tried."""
        return [module for module in self.modules if module.tried]


def save(results: Results, path: Path) -> None:
    """Write results as JSON."""
    text = json.dumps(asdict(results), indent=1, ensure_ascii=False)
    path.write_text(f"{text}\n", "utf-8")


def load(path: Path) -> Results:
    """Read what :func:`save` has written."""
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    modules = [_module(**module) for module in document.pop("modules")]
    return Results(modules=modules, **document)


def _module(survivors: Sequence[Mapping[str, Any]], **counts: Any) -> Module:
    return Module(
        survivors=[Survivor(Change(**each["change"]), each["operator"]) for each in survivors],
        **counts,
    )

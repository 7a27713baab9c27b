"""One mutant: what was changed where, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Change", "Fate", "Mutant", "change_in"]


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    """The suite failed, or did not end."""

    SURVIVED = "survived"
    """The suite passed."""

    ANNOTATION = "annotation"
    """It was not tried: it changes an annotation, which nothing evaluates."""

    INVALID = "invalid"
    """It was not tried: it is no Python, as where a signature's ``*`` is taken for a product."""

    PENDING = "pending"
    """It has not been tried yet."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a mutant is recognised by in a later run, wherever its line has moved to."""

    module: str
    line: str
    """The line as it is in the source, without indentation."""
    mutant: str
    """The line as it is in the mutant; empty if it was taken out."""
    occurrence: int = 1
    """Which of several mutants that read the same, in the order of the source."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mutant of a run."""

    change: Change
    operator: str
    """cosmic-ray's name for the kind of change."""
    row: int
    """The line's number in the source, from 1."""
    fate: Fate
    killed_by: str = ""
    """The test that failed, or why else it counts as killed."""


def change_in(diff: str) -> tuple[str, str]:
    """Return the line that a unified diff takes out, and the one that it puts in its place.

    Several lines are shown as one, with their indentation taken away.
    """
    removed: list[str] = []
    added: list[str] = []
    for line in diff.splitlines():
        if line.startswith(("---", "+++")):
            continue
        if line.startswith("-"):
            removed.append(line[1:].strip())
        elif line.startswith("+"):
            added.append(line[1:].strip())
    return " ".join(removed).strip(), " ".join(added).strip()

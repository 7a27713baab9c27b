"""What the survivors mean, as somebody has judged: ``survivors.toml`` beside this file.

An entry names a module, a line of it, what that line was changed to, and says what it means that
the suite does not notice: see :class:`Meaning`. It stays valid when the line moves, and becomes
stale when the line is changed or a test kills the mutant.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from .mutant import Change
from .results import Module

__all__ = ["REVIEWED", "Entry", "Meaning", "Review", "ReviewError", "Score", "read"]

REVIEWED = Path(__file__).parent / "survivors.toml"


class ReviewError(Exception):
    """The file with the entries is wrong."""


class Meaning(StrEnum):
    """What it means that a mutant survives."""

    EQUIVALENT = "equivalent"
    """Nobody can tell it from the original, so no test can. Not part of the score."""

    UNSPECIFIED = "unspecified"
    """It does differ, but no requirement speaks of it. Not killed, in the score."""

    UNTESTED = "untested"
    """A requirement speaks of it, and a test is missing. Not killed, in the score."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line, and the mutants of it that mean the same."""

    changes: Sequence[Change]
    means: Meaning
    reason: str


@dataclass(frozen=True, slots=True)
class Score:
    """How much of a module the suite pins down."""

    killed: int
    counted: int
    """All that were tried, without those that are equivalent."""

    def __str__(self) -> str:
        # Never rounded up to what was not reached.
        return f"{self.killed * 1000 // self.counted / 10:.1f} %" if self.counted else "-"


@dataclass(frozen=True, slots=True)
class Review:
    """All entries."""

    entries: Sequence[Entry]

    def of(self, change: Change) -> Entry | None:
        """Return the entry about a mutant, if there is one."""
        return self._by_change().get(change)

    def score(self, modules: Iterable[Module]) -> Score:
        """Return the score of some modules; whatever has no entry counts as not killed."""
        killed = counted = 0
        for module in modules:
            entries = [self.of(survivor.change) for survivor in module.survivors]
            means = [entry.means for entry in entries if entry is not None]
            killed += module.killed
            counted += module.tried - means.count(Meaning.EQUIVALENT)
        return Score(killed, counted)

    def missing(self, modules: Iterable[Module]) -> list[Change]:
        """Return the survivors without an entry."""
        known = self._by_change()
        return [
            survivor.change
            for module in modules
            for survivor in module.survivors
            if survivor.change not in known
        ]

    def stale(self, modules: Iterable[Module]) -> list[Change]:
        """Return what has an entry, but has not survived, where all mutants have been tried."""
        complete = [module for module in modules if module.tried == module.mutants]
        survived = {survivor.change for module in complete for survivor in module.survivors}
        names = {module.name for module in complete}
        return [
            change
            for change in self._by_change()
            if change.module in names and change not in survived
        ]

    def _by_change(self) -> Mapping[Change, Entry]:
        return {change: entry for entry in self.entries for change in entry.changes}


def read(path: Path = REVIEWED) -> Review:
    """Read the entries.

    Raises:
        ReviewError: one has not got what it needs, or is about what another one is about.
    """
    entries = [_entry(**table) for table in tomllib.loads(path.read_text("utf-8"))["survivors"]]
    seen: set[Change] = set()
    for change in (change for entry in entries for change in entry.changes):
        if change in seen:
            raise ReviewError(f"{path.name}: two entries about {change}")
        seen.add(change)
    return Review(entries)


def _entry(
    module: str, line: str, mutants: Sequence[str], means: str, reason: str, **rest: Any
) -> Entry:
    occurrence = rest.pop("occurrence", 1)
    if rest or not mutants or not reason.strip():
        raise ReviewError(f"{module}: {line!r}: no reason, no mutant, or too much: {rest}")
    changes = [Change(module, line, mutant, occurrence) for mutant in mutants]
    return Entry(changes, Meaning(means), " ".join(reason.split()))

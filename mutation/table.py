"""The figures of a run, for a terminal and for the site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .mutant import Change
from .results import Module, Results
from .review import Entry, Meaning, Review

__all__ = ["as_markdown", "as_text", "survivors_as_markdown"]

_HEADINGS = ("Module", "Mutants", "Tried", "Killed", "Equivalent", "Survived", "Score")

_MEANINGS = {
    Meaning.UNTESTED: "a test is missing",
    Meaning.UNSPECIFIED: "no requirement speaks of it",
    Meaning.EQUIVALENT: "nobody can tell it from the original",
}


def as_text(results: Results, review: Review) -> Iterator[str]:
    """Yield the lines of the table for a terminal."""
    rows = [_HEADINGS, *_rows(results, review)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(_HEADINGS))]
    for row in rows:
        name, *figures = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join([row[0].ljust(len(name)), *figures])
    yield f"controls: {results.controls} run, {results.controls_passed} passed"


def as_markdown(results: Results, review: Review) -> Iterator[str]:
    """Yield the lines of the table for the site."""
    yield f"| {' | '.join(_HEADINGS)} |"
    yield f"| --- |{' ---: |' * (len(_HEADINGS) - 1)}"
    for name, *figures in _rows(results, review):
        yield f"| {name if name == 'all' else f'`{name}`'} | {' | '.join(figures)} |"


def survivors_as_markdown(results: Results, review: Review) -> Iterator[str]:
    """Yield a section a meaning, and in it what has survived, with the reason."""
    survived = {survivor.change for module in results.modules for survivor in module.survivors}
    for meaning, words in _MEANINGS.items():
        entries = [entry for entry in review.entries if entry.means is meaning]
        if any(survived.intersection(entry.changes) for entry in entries):
            yield from (f"### {meaning.capitalize()}: {words}", "")
            for entry in entries:
                yield from _entry(entry, [each for each in entry.changes if each in survived])


def _entry(entry: Entry, changes: Sequence[Change]) -> Iterator[str]:
    if not changes:
        return
    yield f"In `{changes[0].module}`: {entry.reason}"
    yield from ("", "```diff", f"-{changes[0].line}")
    yield from (f"+{change.mutant}" for change in changes)
    yield from ("```", "")


def _rows(results: Results, review: Review) -> Iterator[tuple[str, ...]]:
    for module in results.tried:
        yield _row(module.name, [module], review)
    yield _row("all", results.tried, review)


def _row(name: str, modules: Sequence[Module], review: Review) -> tuple[str, ...]:
    found = [review.of(each.change) for module in modules for each in module.survivors]
    means = [entry.means for entry in found if entry is not None]
    figures = (
        sum(module.mutants for module in modules),
        sum(module.tried for module in modules),
        sum(module.killed for module in modules),
        means.count(Meaning.EQUIVALENT),
        len(found) - means.count(Meaning.EQUIVALENT),
    )
    return (name, *map(str, figures), str(review.score(modules)))

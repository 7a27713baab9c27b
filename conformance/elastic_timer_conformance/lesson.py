"""What a reader of a failure has to know: what is demanded, what was seen, how to see it again."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

from elastic_timer_spec import Requirement

from elastic_timer_conformance.verdict import TestResult

__all__ = ["Taught", "is_item", "lesson", "paragraphs", "seen", "statement_lines"]

# Columns: the text of the specification, and with its indent no wider than the suite's own source.
WIDTH = 92
INDENT = "    "

# So much is shown of what a test has seen; pytest has the rest below.
LINES = 12

# An assertion that says in words what was wrong comes with these words first, and then with the
# values as pytest found them.
VALUES = re.compile(r"assert ")
KIND = re.compile(r"^(AssertionError|Failed): ")

# In Markdown, what is between paragraphs, and what is before an item of a list.
PARAGRAPHS = re.compile(r"\n\s*\n")
ITEMS = re.compile(r"\n(?=\s*(?:[-*]|\d+\.)\s)")


def lesson(requirement: Requirement, result: TestResult, command: str) -> Iterator[str]:
    """Give the lines about a requirement and a test of it that failed; `command` repeats it."""
    yield f"{requirement.id} ({requirement.level}, {requirement.profile}): {requirement.title}"
    yield from _part("Demanded", statement_lines(requirement))
    yield from _part("Seen", [*seen(result.message), "", f"in {result.test}"])
    yield from _part("To repeat just this", [command])


def _part(heading: str, lines: Sequence[str]) -> Iterator[str]:
    yield from ("", f"{heading}:", "")
    yield from (f"{INDENT}{line}".rstrip() for line in lines)


def seen(message: str) -> list[str]:
    """Return what a test saw: the words of its assertion, or the values if it has no words."""
    lines = message.strip().splitlines() or ["(nothing was said)"]
    lines[0] = KIND.sub("", lines[0])
    words = list(takewhile(lambda line: not VALUES.match(line), lines))
    said = words or lines
    return said[:LINES] + (["..."] if len(said) > LINES else [])


def paragraphs(requirement: Requirement) -> Iterator[list[str]]:
    """Yield the paragraphs of what a requirement demands, in the specification's words.

    Each comes as its parts, a line each: what is before the items of a list, and the items.
    """
    text = re.sub(r"\{\w+\}`([^`]*)`", r"\1", requirement.statement)
    for paragraph in PARAGRAPHS.split(text.strip()):
        yield [" ".join(part.split()) for part in ITEMS.split(paragraph)]


def is_item(part: str) -> bool:
    """Whether a part of a paragraph is an item of a list."""
    return ITEMS.match(f"\n{part}") is not None


def statement_lines(requirement: Requirement) -> list[str]:
    """Return what a requirement demands, wrapped for a terminal."""
    lines: list[str] = []
    for paragraph in paragraphs(requirement):
        for part in paragraph:
            lines += textwrap.wrap(
                part,
                WIDTH,
                subsequent_indent="  " if is_item(part) else "",
                break_long_words=False,
                break_on_hyphens=False,
            )
        lines.append("")
    return lines[:-1]


class Taught:
    """What pytest shows of a failure: the lesson, and only then where in the code it was.

    It takes the place of a report's `longrepr`, of which pytest asks no more than this.
    """

    def __init__(self, lesson: str, where: object) -> None:
        self._lesson = lesson
        self._where = where
        # pytest's own summary takes its line from here.
        self.reprcrash = getattr(where, "reprcrash", None)

    def __str__(self) -> str:
        return f"{self._lesson}\n\nWhere:\n\n{self._where}"

    def toterminal(self, tw: Any) -> None:
        """Write it to a terminal, that is to pytest's writer."""
        for line in self._lesson.splitlines():
            tw.line(line, bold=bool(line) and not line.startswith(" "))
        tw.line("\nWhere:\n", bold=True)
        if hasattr(self._where, "toterminal"):
            self._where.toterminal(tw)
        else:
            tw.line(str(self._where))

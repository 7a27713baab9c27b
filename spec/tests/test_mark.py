"""How a mark is written, and when it is of an earlier statement."""

from __future__ import annotations

from dataclasses import replace

import pytest
from elastic_timer_spec import load
from elastic_timer_spec.mark import Mark, MarkError
from elastic_timer_spec.needs_json import digest

SIZE = load().requirements["QUEUE-SIZE"]


@pytest.mark.parametrize("text", ["QUEUE-SIZE", "QUEUE-SIZE@0123abcd"])
def test_a_mark_is_written_as_it_is_read(text: str) -> None:
    assert str(Mark.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "QUEUE-SIZE@", "@0123abcd", "QUEUE-SIZE@0123abc", "QUEUE-SIZE@0123abcde", "QUEUE SIZE"],
)
def test_what_is_no_mark_is_refused(text: str) -> None:
    with pytest.raises(MarkError, match="is not an id such as 'QUEUE-SIZE'"):
        Mark.parse(text)


def test_a_mark_of_a_requirement_is_current() -> None:
    assert not Mark.of(SIZE).is_outdated(SIZE)
    assert not Mark("QUEUE-SIZE").is_outdated(SIZE)


@pytest.mark.parametrize(
    ("statement", "is_outdated"),
    [
        (SIZE.statement + " It MAY.", True),
        (SIZE.statement.replace("MUST", "SHOULD", 1), True),
        (SIZE.statement.replace(" ", "\n", 1), False),
    ],
)
def test_a_change_of_the_statement_makes_it_outdated(statement: str, is_outdated: bool) -> None:
    changed = replace(SIZE, statement=statement, digest=digest(statement))
    assert Mark.of(SIZE).is_outdated(changed) is is_outdated


def test_what_is_not_demanded_may_change() -> None:
    changed = replace(SIZE, title="Another", rationale="Another", verification="Another")
    assert not Mark.of(SIZE).is_outdated(changed)

"""What a failure says: the specification's words, and those of the assertion."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from elastic_timer_conformance.lesson import INDENT, WIDTH, Taught, seen, statement_lines
from elastic_timer_spec import Requirement, load

REQUIREMENTS = load().requirements


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ("AssertionError: 4 of 5\nassert 4 == 5\n +  where 4 = size()", ["4 of 5"]),
        ("Failed: DID NOT RAISE <class 'OSError'>", ["DID NOT RAISE <class 'OSError'>"]),
        ("AssertionError: first\nsecond\nassert not True", ["first", "second"]),
        ("AssertionError: none\nassert [] == [1]\n  Right contains one more item: 1", ["none"]),
        # Without words, the values are what was seen.
        ("assert 4 == 5\n  +  where 4 = size()", ["assert 4 == 5", "  +  where 4 = size()"]),
        ("OSError: [Errno 32] Broken pipe", ["OSError: [Errno 32] Broken pipe"]),
        ("", ["(nothing was said)"]),
        ("\n".join(map(str, range(20))), [*map(str, range(12)), "..."]),
    ],
)
def test_what_was_seen_is_what_the_assertion_says(message: str, lines: list[str]) -> None:
    assert seen(message) == lines


def _letters(text: str) -> str:
    return "".join(text.replace("`", "").split())


@pytest.mark.parametrize("requirement", REQUIREMENTS.values(), ids=REQUIREMENTS)
def test_every_statement_is_shown_whole_and_fits(requirement: Requirement) -> None:
    lines = statement_lines(requirement)
    assert _letters(" ".join(lines)) == _letters(requirement.statement.replace("{need}", ""))
    assert max(map(len, lines)) <= WIDTH
    assert len(INDENT) + WIDTH <= 100


def test_paragraphs_and_lists_stay() -> None:
    statement = "It\nMUST:\n\n- do this,\n  and {need}`QUEUE-SIZE`;\n- or that.\n\nIt MAY `x`."
    requirement = replace(REQUIREMENTS["QUEUE-SIZE"], statement=statement)
    assert statement_lines(requirement) == [
        *("It MUST:", "", "- do this, and QUEUE-SIZE;", "- or that.", "", "It MAY `x`."),
    ]


def test_a_long_item_of_a_list_hangs() -> None:
    statement = "- " + "word " * 30
    first, second, *_ = statement_lines(replace(REQUIREMENTS["QUEUE-SIZE"], statement=statement))
    assert first.startswith("- word")
    assert second.startswith("  word")


def test_what_pytest_could_not_locate_is_shown_too() -> None:
    written: list[str] = []
    taught = Taught("HEAD\n    text", "somewhere")
    taught.toterminal(SimpleNamespace(line=lambda text, **_: written.append(text)))
    assert written == ["HEAD", "    text", "\nWhere:\n", "somewhere"]
    assert str(taught) == "HEAD\n    text\n\nWhere:\n\nsomewhere"

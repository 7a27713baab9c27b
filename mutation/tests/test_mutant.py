"""What a mutant is recognised by, and what is not worth trying."""

from __future__ import annotations

from mutation.annotations import annotation_spans, is_within
from mutation.mutant import change_in
from mutation.session import is_python

SOURCE = """\
from __future__ import annotations

LIMIT: int | None = 2 | 1


def f(a: int | str, *rest: int | str) -> int | None:
    b: int | None = a | 1
    return b
"""

DIFF = """\
--- a
+++ b
@@ -3,1 +3,1 @@
-    if a < b:
+    if a <= b:
"""


def changed_positions(source: str) -> list[tuple[int, int]]:
    """Return where every | is, from the lines and columns that are not in an annotation."""
    spans = annotation_spans(source)
    bars = [
        (number, column)
        for number, line in enumerate(source.splitlines(), 1)
        for column, character in enumerate(line)
        if character == "|"
    ]
    return [place for place in bars if not is_within(place, spans)]


def test_only_what_is_evaluated_is_outside_of_annotations() -> None:
    assert changed_positions(SOURCE) == [(3, 22), (7, 22)]


def test_annotations_that_are_evaluated_are_worth_trying() -> None:
    assert len(changed_positions(SOURCE.replace("annotations", "division"))) == SOURCE.count("|")


def test_a_change_is_told_by_its_lines_without_indentation() -> None:
    assert change_in(DIFF) == ("if a < b:", "if a <= b:")


def test_a_line_that_is_taken_out_has_nothing_in_its_place() -> None:
    assert change_in("--- a\n+++ b\n@@ -1 +0,0 @@\n-@final\n") == ("@final", "")


def test_what_is_no_python_is_not_worth_trying() -> None:
    assert is_python("def f(a, *, b): pass")
    assert not is_python("def f(a, |, b): pass")

"""Lines, sections and sizes of a page."""

from __future__ import annotations

import pytest
from elastic_timer_spec.keyword_index import KeywordIndexError
from elastic_timer_spec.page_text import Line, decode, mended, sections, stated_sizes


def lines(text: str) -> list[Line]:
    return [Line(number, line) for number, line in enumerate(text.split("\n"), start=1)]


def test_a_line_is_compared_without_blanks_at_its_end_and_counted_with_them() -> None:
    line = Line(1, "text \t")
    assert line.text == "text"
    assert stated_sizes([line], crlf=False) == {6}


def test_decoding_keeps_the_bytes_as_they_came() -> None:
    assert decode(b"a\r\nb", "f") == ("a\nb", b"a\r\nb")


def test_sections_keep_deeper_headings_inside_and_pass_over_blocks() -> None:
    parts = sections(lines("x\n## A\n### B\n```\n## no\n```\n## C"), level=2, file="f")
    assert [(name, [line.number for line in part]) for name, part in parts.items()] == [
        ("", [1]),
        ("A", [2, 3, 4, 5, 6]),
        ("C", [7]),
    ]


def test_a_longer_fence_is_closed_by_one_as_long() -> None:
    parts = sections(lines("````md\n```\n## no\n````\n## A"), level=2, file="f")
    assert list(parts) == ["", "A"]


def test_a_heading_that_is_there_twice_is_refused() -> None:
    with pytest.raises(KeywordIndexError, match="f:2: the heading 'A' is there twice"):
        sections(lines("## A\n## A"), level=2, file="f")


def test_mending_undoes_the_wrong_code_page_line_by_line() -> None:
    garbled = "→".encode().decode("cp1252")
    assert mended(f"a {garbled}\n漢\nplain") == "a →\n漢\nplain"


def test_a_file_may_have_been_shorter_before_it_was_garbled() -> None:
    garbled = "→".encode().decode("cp1252")
    assert stated_sizes(lines(f"{garbled}\n"), crlf=False) == {9, 4}


def test_line_ends_are_counted_as_two_only_where_the_page_has_such() -> None:
    assert stated_sizes(lines("a\nb\n"), crlf=False) == {4}
    assert stated_sizes(lines("a\nb\n"), crlf=True) == {4, 6}

"""A rendered page says what the index holds, in both forms, or is refused."""

from __future__ import annotations

import dataclasses

import pytest
from elastic_timer_spec.keyword_index import Keyword, KeywordIndex, KeywordIndexError, Link
from elastic_timer_spec.keyword_page import read_page
from elastic_timer_spec.keyword_rendering import render


def test_a_wrapped_page_reads_back_equal(index: KeywordIndex) -> None:
    assert index.page is not None
    assert read_page(render(index)) == index


def test_a_bare_page_reads_back_equal(index: KeywordIndex) -> None:
    bare = dataclasses.replace(index, page=None)
    assert read_page(render(bare)) == bare


def test_the_rendered_page_states_its_own_size(index: KeywordIndex) -> None:
    read = read_page(render(index))
    bare = render(dataclasses.replace(index, page=None))
    assert read.page is not None
    assert read.page.size == len(bare.encode())


@pytest.mark.parametrize(
    "change",
    [
        {"folder": "a`b"},
        {"folder": "a\nb"},
        {"folder": ""},
        {"original_file": Link("a](b", "c")},
        {"documentation": Link("a", "")},
        {"sections": ("a", "a")},
        {"classes": (Keyword("not a name", Link("a", "b")),)},
        {"imports": (Keyword("b", Link("a", "b")), Keyword("a", Link("a", "b")))},
    ],
)
def test_what_a_page_cannot_say_is_refused(index: KeywordIndex, change: dict[str, object]) -> None:
    with pytest.raises(KeywordIndexError):
        render(dataclasses.replace(index, **change))  # type: ignore[arg-type]

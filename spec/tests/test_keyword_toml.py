"""The normalised form loses nothing and is the same bytes each time."""

from __future__ import annotations

import dataclasses
from importlib import resources
from pathlib import Path

import pytest
from elastic_timer_spec import load
from elastic_timer_spec.keyword_index import Keyword, KeywordIndex, KeywordIndexError, Link
from elastic_timer_spec.keyword_page import read_page
from elastic_timer_spec.keyword_toml import file_name, from_toml, read_keywords, to_toml

KEYWORDS = Path(str(resources.files("elastic_timer_spec"))) / "keywords"


def test_the_committed_files_are_what_the_specification_holds() -> None:
    assert read_keywords(KEYWORDS) == load().indexes
    assert len(load().indexes) == len(list(KEYWORDS.iterdir()))


def test_reading_a_page_reproduces_the_committed_file(index: KeywordIndex, page: str) -> None:
    """The page is in other words than the original, so its size and digest are another's."""
    read = read_page(page)
    assert read.page is not None
    assert index.page is not None
    facts = dataclasses.replace(read.page, size=index.page.size)
    restored = dataclasses.replace(read, page=facts, digest=index.digest)
    committed = (KEYWORDS / file_name(index)).read_bytes()
    assert to_toml(restored).encode() == committed


def test_the_committed_files_hold_names_and_no_sentences(index: KeywordIndex) -> None:
    """A sentence would be somebody else's. The only one is the writer's own, in the header."""
    lines = (KEYWORDS / file_name(index)).read_text("utf-8").split("\n")
    assert not [line for line in lines if not line.startswith("#") and ". " in line]


def test_a_keyword_whose_link_is_its_own_keeps_it(index: KeywordIndex) -> None:
    keyword = Keyword("x", Link("text", "elsewhere.md"))
    changed = dataclasses.replace(index, functions=(keyword,))
    assert 'link = { text = "text", target = "elsewhere.md" }' in to_toml(changed)
    assert from_toml(to_toml(changed)) == changed


def test_size_and_digest_are_kept_too(index: KeywordIndex) -> None:
    copy = from_toml(to_toml(index))
    assert copy.digest == index.digest
    assert copy.page is not None
    assert index.page is not None
    assert copy.page.size == index.page.size


def test_a_bare_index_has_no_page_table(index: KeywordIndex) -> None:
    bare = dataclasses.replace(index, page=None)
    assert "[page]" not in to_toml(bare)
    assert from_toml(to_toml(bare)) == bare


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("digest", "dig est", "is not TOML"),
        ("folder =", "folded =", "lacks 'folder'"),
        ("classes = [", "classes = [ 3,", "is no keyword index"),
        ("classes = [", 'classes = [ "zz",', "'classes' is not sorted"),
        ("size = ", 'size = "x" #', "is no keyword index"),
        ("documentation = {", "documentation = 3 # {", "is no keyword index"),
    ],
)
def test_an_unsound_file_is_refused(index: KeywordIndex, old: str, new: str, cause: str) -> None:
    text = "\n".join(to_toml(index).split("\n")[3:])
    assert old in text
    with pytest.raises(KeywordIndexError, match=r"f\.toml") as caught:
        from_toml(text.replace(old, new, 1), file="f.toml")
    assert cause in caught.value.cause


def test_two_files_of_the_same_index_are_refused(tmp_path: Path, index: KeywordIndex) -> None:
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(to_toml(index), encoding="utf-8")
    with pytest.raises(KeywordIndexError, match=r"b\.toml: a second index"):
        read_keywords(tmp_path)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff")
    with pytest.raises(KeywordIndexError, match=r"a\.toml: is not UTF-8"):
        read_keywords(tmp_path)

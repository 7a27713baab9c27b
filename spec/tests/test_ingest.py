"""Ingesting loses nothing: no page for another's sake, no index to another's file."""

from __future__ import annotations

from pathlib import Path

import pytest
from elastic_timer_spec.ingest import ingest
from elastic_timer_spec.keyword_extraction import extract
from elastic_timer_spec.keyword_index import KeywordIndexError
from elastic_timer_spec.keyword_rendering import render
from elastic_timer_spec.keyword_toml import read_keywords


def page(folder: Path, name: str, source: str, path: str) -> Path:
    file = folder / name
    file.write_text(render(extract(source, path=path)), encoding="utf-8")
    return file


def test_each_page_gets_a_file_and_new_keywords_are_told(tmp_path: Path) -> None:
    first = page(tmp_path, "1.md", "def a(): ...\ndef b(): ...", "x/m.py")
    second = page(tmp_path, "2.md", "def b(): ...\ndef c(): ...", "x/n.py")
    output = tmp_path / "deep" / "keywords"
    results = ingest([first, second], output)
    assert [result.new_keywords for result in results] == [("a", "b"), ("c",)]
    assert [result.file for result in results] == [output / "x.m.py.toml", output / "x.n.py.toml"]
    assert [index.path for index in read_keywords(output)] == ["x/m.py", "x/n.py"]


def test_a_page_may_be_ingested_again(tmp_path: Path) -> None:
    file = page(tmp_path, "1.md", "def a(): ...", "m.py")
    ingest([file], tmp_path / "out")
    written = (tmp_path / "out" / "m.py.toml").read_bytes()
    (result,) = ingest([file], tmp_path / "out")
    assert result.new_keywords == ()
    assert (tmp_path / "out" / "m.py.toml").read_bytes() == written


def test_a_newer_page_takes_the_place_of_the_older(tmp_path: Path) -> None:
    output = tmp_path / "out"
    ingest([page(tmp_path, "1.md", "def a(): ...", "m.py")], output)
    (result,) = ingest([page(tmp_path, "1.md", "def a(): ...\ndef b(): ...", "m.py")], output)
    assert result.new_keywords == ("b",)
    (index,) = read_keywords(output)
    assert index.keywords == ("a", "b")


def test_a_broken_page_keeps_no_other_from_being_taken(tmp_path: Path) -> None:
    broken = tmp_path / "broken.md"
    broken.write_bytes(b"\xff\xff")
    sound = page(tmp_path, "1.md", "def a(): ...", "m.py")
    results = ingest([broken, tmp_path / "none.md", sound, tmp_path], tmp_path / "out")
    assert [result.error is None for result in results] == [False, False, True, False]
    assert "broken.md:1: is not UTF-8" in str(results[0].error)
    assert "none.md" in str(results[1].error)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["m.py.toml"]


def test_two_indexes_of_the_same_file_are_refused(tmp_path: Path) -> None:
    first = page(tmp_path, "1.md", "def a(): ...", "m.py")
    second = page(tmp_path, "2.md", "def b(): ...", "m.py")
    results = ingest([first, second], tmp_path / "out")
    assert "1.md holds another index of the same file" in str(results[1].error)
    (index,) = read_keywords(tmp_path / "out")
    assert index.keywords == ("a",)


def test_an_index_never_takes_the_file_of_another(tmp_path: Path) -> None:
    first = page(tmp_path, "1.md", "def a(): ...", "x/y.py")
    second = page(tmp_path, "2.md", "def b(): ...", "x.y.py")
    results = ingest([first, second], tmp_path / "out")
    assert "x.y.py would take the file of x/y.py" in str(results[1].error)
    assert [index.path for index in read_keywords(tmp_path / "out")] == ["x/y.py"]


def test_a_folder_that_is_unsound_already_is_left_alone(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "bad.toml").write_text("nonsense", encoding="utf-8")
    with pytest.raises(KeywordIndexError, match=r"bad\.toml"):
        ingest([page(tmp_path, "1.md", "def a(): ...", "m.py")], output)
    assert [file.name for file in output.iterdir()] == ["bad.toml"]

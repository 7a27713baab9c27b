"""Noting that tests were looked at: the right marks are changed, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from elastic_timer_spec import load
from elastic_timer_spec.__main__ import main
from elastic_timer_spec.mark import Mark
from elastic_timer_spec.review import UnknownTestError, outdated, reviewed
from elastic_timer_spec.suite_source import SuiteError, read_suite

SIZE = load().requirements["QUEUE-SIZE"]
ORDER = load().requirements["QUEUE-ORDER"]
NEW = str(Mark.of(SIZE))

QUEUE = """\
# QUEUE-SIZE is only mentioned here: "QUEUE-SIZE@0123abcd"
@requirement("QUEUE-SIZE@0123abcd")
def test_one(): "QUEUE-SIZE@0123abcd"

@requirement( 'QUEUE-SIZE' ,r"QUEUE-ORDER",)  # ümlauts, "QUEUE-SIZE", and \u2028 in comments
def test_two(): ...

ü = 1; \u00fc\u00fc = "ü"

@requirement("QUEUE-SIZE@0123abcd", "QUEUE-SIZE@0123abcd")
class TestThings:
    def test_three(self): ...
    @requirement("QUEUE-ORDER@0123abcd")
    def test_four(self): ...
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "test_queue.py").write_text(QUEUE, encoding="utf-8")
    (folder / "test_more.py").write_bytes(
        b'import os\r\n@requirement("QUEUE-SIZE")\r\ndef test_one(): ...\r\n'
    )
    return folder


def digests(suite: Path, requirement: str = "QUEUE-SIZE") -> dict[str, str | None]:
    return {
        f"{test.file}::{test.name}": written.mark.digest
        for test in read_suite(suite).tests
        for written in test.marks
        if written.mark.requirement == requirement
    }


def test_all_marks_of_a_requirement_are_renewed(suite: Path) -> None:
    updates = reviewed(SIZE, read_suite(suite), [])
    assert set(digests(suite).values()) == {Mark.of(SIZE).digest}
    assert set(digests(suite, "QUEUE-ORDER").values()) == {None, "0123abcd"}
    assert [(update.file, update.line) for update in updates] == [
        ("test_more.py", 2),
        ("test_queue.py", 2),
        ("test_queue.py", 5),
        ("test_queue.py", 10),
        ("test_queue.py", 10),
    ]
    assert reviewed(SIZE, read_suite(suite), []) == []


def test_nothing_but_the_marks_is_changed(suite: Path) -> None:
    reviewed(SIZE, read_suite(suite), [])
    expected = (
        QUEUE.replace('ent("QUEUE-SIZE@0123abcd")', f'ent("{NEW}")')
        .replace("'QUEUE-SIZE'", f"'{NEW}'")
        .replace('ent("QUEUE-SIZE@0123abcd", "QUEUE-SIZE@0123abcd"', f'ent("{NEW}", "{NEW}"')
    )
    assert (suite / "test_queue.py").read_text("utf-8") == expected
    assert (suite / "test_more.py").read_bytes() == (
        f'import os\r\n@requirement("{NEW}")\r\ndef test_one(): ...\r\n'.encode()
    )


@pytest.mark.parametrize(
    ("names", "renewed"),
    [
        (["test_one"], {"test_queue.py::test_one", "test_more.py::test_one"}),
        (["test_more.py"], {"test_more.py::test_one"}),
        (["test_queue.py::test_one"], {"test_queue.py::test_one"}),
        (["suite/test_queue.py::test_one[a.py::b]"], {"test_queue.py::test_one"}),
        (
            ["test_queue.py::TestThings::test_three"],
            {"test_queue.py::TestThings.test_three", "test_queue.py::TestThings.test_four"},
        ),
        (["test_two", "test_more.py"], {"test_queue.py::test_two", "test_more.py::test_one"}),
    ],
)
def test_only_the_named_tests_are_renewed(suite: Path, names: list[str], renewed: set[str]) -> None:
    reviewed(SIZE, read_suite(suite), names)
    current = Mark.of(SIZE).digest
    assert {name for name, digest in digests(suite).items() if digest == current} == renewed


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("test_on", "did you mean test_one"),
        ("test_mor.py", "did you mean test_more.py"),
        ("test_queue.py::test_five", "is no test of QUEUE-SIZE"),
        ("queue.py", "is no test of QUEUE-SIZE"),
    ],
)
def test_a_name_that_fits_nothing_changes_nothing(suite: Path, name: str, hint: str) -> None:
    with pytest.raises(UnknownTestError, match=hint):
        reviewed(SIZE, read_suite(suite), ["test_two", name])
    assert (suite / "test_queue.py").read_text("utf-8") == QUEUE


@pytest.mark.parametrize("literal", ['"QUEUE-" "SIZE"', '"QUEUE\\x2dSIZE"', '("QUEUE-"\n"SIZE")'])
def test_a_mark_in_pieces_is_left_to_its_author(suite: Path, literal: str) -> None:
    (suite / "test_pieces.py").write_text(f"@requirement({literal})\ndef test_x(): ...\n")
    with pytest.raises(SuiteError, match=r"test_pieces\.py:1: .* write 'QUEUE-SIZE@.*' yourself"):
        reviewed(SIZE, read_suite(suite), [])
    assert (suite / "test_queue.py").read_text("utf-8") == QUEUE


def test_what_is_out_of_date_is_told_by_requirement_and_digest(suite: Path) -> None:
    found = {
        (entry.requirement.id, entry.digest): [test.name for test in entry.tests]
        for entry in outdated(load(), read_suite(suite))
    }
    assert found == {
        ("QUEUE-SIZE", None): ["test_one", "test_two"],
        (
            "QUEUE-SIZE",
            "0123abcd",
        ): ["test_one", "TestThings.test_three", "TestThings.test_four"],
        ("QUEUE-ORDER", None): ["test_two"],
        ("QUEUE-ORDER", "0123abcd"): ["TestThings.test_four"],
    }


def test_the_command_lists_without_changing(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reviewed", "--suite", str(suite)]) == 1
    said = capsys.readouterr().out
    assert f"was 0123abcd when these tests were looked at, and is {SIZE.digest[:8]}:" in said
    assert "test_queue.py:3: test_one" in said
    assert f"reviewed QUEUE-SIZE --suite {suite}\n" in said
    assert said.endswith("tests to be looked at: 5, of requirements: 2\n")
    assert (suite / "test_queue.py").read_text("utf-8") == QUEUE


def test_the_command_notes_and_says_what_it_changed(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for requirement in ("QUEUE-SIZE", "QUEUE-ORDER"):
        assert main(["reviewed", requirement, "--suite", str(suite)]) == 0
    said = capsys.readouterr().out
    assert f"test_queue.py:2: QUEUE-SIZE@0123abcd -> {NEW}\n" in said
    assert main(["reviewed", "--suite", str(suite)]) == 0
    assert main(["reviewed", "QUEUE-SIZE", "test_one", "--suite", str(suite)]) == 0
    said = capsys.readouterr().out
    assert "all 5 tests are up to date with what they verify\n" in said
    assert "QUEUE-SIZE: these tests are up to date\n" in said


def test_the_command_explains_what_it_does_not_know(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reviewed", "QUEUE-SIZ", "--suite", str(suite)]) == 2
    assert "Did you mean QUEUE-SIZE" in capsys.readouterr().err
    assert main(["reviewed", "QUEUE-SIZE", "test_on", "--suite", str(suite)]) == 2
    assert "error: 'test_on' is no test of QUEUE-SIZE; did you mean" in capsys.readouterr().err
    assert main(["reviewed", "QUEUE-GET", "--suite", str(suite)]) == 2


def test_every_test_of_the_suite_is_up_to_date() -> None:
    assert main(["reviewed"]) == 0

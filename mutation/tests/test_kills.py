"""What was killed is known as long as the module is the same."""

from __future__ import annotations

from pathlib import Path

from mutation import kills
from mutation.kills import Kills, digest_of
from mutation.mutant import Change

CHANGE = Change("clock", "a < b", "a <= b")
ANOTHER = Change("clock", "a < b", "a > b")
ELSEWHERE = Change("api", "a < b", "a <= b")
SOURCE, OTHER = digest_of("a < b"), digest_of("a < b\n")


def known() -> Kills:
    found = Kills()
    found.add(CHANGE, SOURCE, "test_before")
    found.add(Change("clock", "a < b", 'a == "b\\n"', 2), SOURCE, "test_equal")
    found.add(ELSEWHERE, OTHER, "test_other")
    return found


def test_a_kill_is_known_of_the_same_module_only() -> None:
    found = known()
    assert found.killer(CHANGE, SOURCE) == "test_before"
    assert found.killer(CHANGE, OTHER) is None
    assert found.killer(ANOTHER, SOURCE) is None
    assert found.killer(Change("expires", "a < b", "a <= b"), SOURCE) is None


def test_what_is_known_of_an_older_module_is_forgotten() -> None:
    found = known()
    found.add(ANOTHER, OTHER, "test_after")
    assert found.killer(CHANGE, SOURCE) is None
    assert found.killer(ANOTHER, OTHER) == "test_after"
    assert found.killer(ELSEWHERE, OTHER) == "test_other"


def test_kills_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "killed.json"
    known().write(path)
    assert kills.read(path) == known()
    assert len(path.read_text("utf-8").splitlines()) == 9


def test_nothing_is_known_where_nothing_was_written(tmp_path: Path) -> None:
    assert kills.read(tmp_path / "killed.json") == Kills()

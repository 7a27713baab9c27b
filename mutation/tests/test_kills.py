"""What was killed is known as long as the module is the same."""

from __future__ import annotations

from pathlib import Path

from mutation import kills
from mutation.kills import Kills, digest_of

PLACE = ("a < b", "a <= b", 1)
SOURCE, OTHER = digest_of("a < b"), digest_of("a < b\n")


def known() -> Kills:
    found = Kills()
    found.add("clock", SOURCE, PLACE, "test_before")
    found.add("clock", SOURCE, ("a < b", 'a == "b\\n"', 2), "test_equal")
    found.add("api", OTHER, PLACE, "test_other")
    return found


def test_a_kill_is_known_of_the_same_module_only() -> None:
    found = known()
    assert found.killer("clock", SOURCE, PLACE) == "test_before"
    assert found.killer("clock", OTHER, PLACE) is None
    assert found.killer("clock", SOURCE, ("a < b", "a > b", 1)) is None
    assert found.killer("expires", SOURCE, PLACE) is None


def test_what_is_known_of_an_older_module_is_forgotten() -> None:
    found = known()
    found.add("clock", OTHER, ("a < b", "a > b", 1), "test_after")
    assert found.killer("clock", SOURCE, PLACE) is None
    assert found.killer("clock", OTHER, ("a < b", "a > b", 1)) == "test_after"
    assert found.killer("api", OTHER, PLACE) == "test_other"


def test_kills_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "killed.json"
    known().write(path)
    assert kills.read(path) == known()
    assert len(path.read_text("utf-8").splitlines()) == 9


def test_nothing_is_known_where_nothing_was_written(tmp_path: Path) -> None:
    assert kills.read(tmp_path / "killed.json") == Kills()

"""What the survivors of a run mean is kept, and is told of when it is missing or stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from mutation import review
from mutation.mutant import Change
from mutation.results import Module, Results, Survivor, load, save
from mutation.review import Meaning, ReviewError, Score
from mutation.targets import TARGETS, path_of

ROOT = Path(__file__).parent.parent.parent

SAME, OTHER, NEW = (Change("clock", "a < b", mutant) for mutant in ("a <= b", "a > b", "a != b"))

ENTRY = """\
[[survivors]]
module = "clock"
line = "a < b"
mutants = ["a <= b"]
means = "equivalent"
reason = '''
They are never
equal.'''
"""


def module(*survivors: Change, killed: int = 3, mutants: int | None = None) -> Module:
    found = [Survivor(change, "AnOperator") for change in survivors]
    number = killed + len(found) if mutants is None else mutants
    return Module("clock", number, annotations=1, invalid=2, killed=killed, survivors=found)


def reviewed(tmp_path: Path, text: str = ENTRY) -> review.Review:
    path = tmp_path / "survivors.toml"
    path.write_text(text, "utf-8")
    return review.read(path)


def test_an_entry_is_found_by_what_was_changed(tmp_path: Path) -> None:
    entry = reviewed(tmp_path).of(SAME)
    assert entry is not None
    assert entry.means is Meaning.EQUIVALENT
    assert entry.reason == "They are never equal."
    assert reviewed(tmp_path).of(OTHER) is None


def test_a_survivor_without_an_entry_is_told_of(tmp_path: Path) -> None:
    assert reviewed(tmp_path).missing([module(SAME, NEW)]) == [NEW]


def test_an_entry_is_stale_once_its_mutant_is_killed(tmp_path: Path) -> None:
    assert reviewed(tmp_path).stale([module(SAME)]) == []
    assert reviewed(tmp_path).stale([module(OTHER)]) == [SAME]


def test_no_entry_is_stale_while_not_all_mutants_have_been_tried(tmp_path: Path) -> None:
    assert reviewed(tmp_path).stale([module(OTHER, mutants=100)]) == []


def test_only_what_is_equivalent_does_not_count(tmp_path: Path) -> None:
    assert reviewed(tmp_path).score([module(SAME, OTHER, killed=8)]) == Score(8, 9)


def test_a_score_is_not_rounded_up() -> None:
    assert str(Score(8999, 10000)) == "89.9 %"
    assert str(Score(1, 2)) == "50.0 %"


def test_a_score_of_several_modules_is_of_all_their_mutants(tmp_path: Path) -> None:
    modules = [module(killed=3), module(SAME, OTHER, killed=8)]
    assert reviewed(tmp_path).score(modules) == Score(11, 12)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('["a <= b"]', "[]"),
        ("They are never\nequal.", ""),
        ('means = "', 'whatever = "'),
        ("reason", "unknown = 1\nreason"),
        ("[[survivors]]", f"{ENTRY}[[survivors]]"),
    ],
)
def test_an_entry_that_is_wrong_is_refused(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises((ReviewError, TypeError)):
        reviewed(tmp_path, ENTRY.replace(old, new))


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    versions = {"cosmic-ray": "8.7.0"}
    results = Results("2026-01-02", "0" * 40, "a command", versions, 25, 25, [module(SAME)])
    save(results, tmp_path / "results.json")
    assert load(tmp_path / "results.json") == results


def test_every_entry_is_about_a_line_that_is_there() -> None:
    lines = {
        name: {line.strip() for line in (ROOT / path_of(name)).read_text("utf-8").splitlines()}
        for name in TARGETS
    }
    changes = [change for entry in review.read().entries for change in entry.changes]
    assert [each for each in changes if each.line not in lines[each.module]] == []

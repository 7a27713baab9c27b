"""The score that is shown is of whole modules, and what survives has been looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from mutation import review
from mutation.results import Results, load

DOCS = Path(__file__).parent.parent

JUDGED = {"expires", "timer_table", "api", "local_timer", "worker", "reaper"}
"""What makes the timers what they are: these the suite has to pin down."""

ENOUGH = 0.9
"""The share of mutants to be killed, of those that can be told from the original."""


@pytest.fixture(scope="module")
def results() -> Results:
    return load(DOCS / "data" / "mutation.json")


def test_the_modules_that_matter_were_tried_whole(results: Results) -> None:
    whole = {module.name for module in results.modules if module.tried == module.mutants}
    assert whole >= JUDGED


def test_the_runs_that_changed_nothing_passed(results: Results) -> None:
    assert results.controls_passed == results.controls > 0


def test_every_survivor_is_accounted_for_and_no_entry_is_stale(results: Results) -> None:
    entries = review.read()
    assert entries.missing(results.tried) == []
    assert entries.stale(results.tried) == []


def test_enough_is_noticed(results: Results) -> None:
    score = review.read().score(module for module in results.modules if module.name in JUDGED)
    assert score.killed >= ENOUGH * score.counted

"""The soaks that are shown are those that are kept, and were made as the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from elastic_timer_conformance.soak.summary import read_summary

DOCS = Path(__file__).parent.parent
SHOWN = re.findall(r"^data/(\S+)\.json$", (DOCS / "reliability.md").read_text("utf-8"), re.M)


def test_every_soak_that_is_kept_is_shown() -> None:
    assert sorted(SHOWN) == sorted(path.stem for path in (DOCS / "data").glob("soak-*.json"))


@pytest.mark.parametrize("name", SHOWN)
def test_a_soak_is_of_all_runs_that_were_asked_for_on_a_busy_machine(name: str) -> None:
    summary = read_summary(DOCS / "data" / f"{name}.json")
    assert summary["busy"]
    assert len(summary["seconds"]) == summary["asked"]

"""The reports shown side by side are of one specification, and of runs that passed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from elastic_timer_conformance.matrix import as_markdown, read_report

DOCS = Path(__file__).parent.parent
PAGE = (DOCS / "verdicts.md").read_text("utf-8")
SHOWN = re.findall(r"^data/(\S+)\.json$", PAGE, re.M)


def test_every_report_that_is_kept_is_shown() -> None:
    kept = [path for path in (DOCS / "data").glob("*.json") if '"verdict": ' in path.read_text()]
    assert sorted(SHOWN) == sorted(path.stem for path in kept)


@pytest.mark.parametrize("name", SHOWN)
def test_a_report_is_of_a_whole_run_that_passed(name: str) -> None:
    report = read_report(DOCS / "data" / f"{name}.json")
    assert report["command"] == f"python -m elastic_timer_conformance --backend {name}"
    assert report["problems"] == []
    assert f"`{name}`\n: " in PAGE


def test_the_reports_go_together() -> None:
    lines = list(as_markdown([read_report(DOCS / "data" / f"{name}.json") for name in SHOWN]))
    assert any(line.startswith("| QUEUE-SIZE | MUST | ✓ |") for line in lines)

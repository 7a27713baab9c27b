"""What a soak has come to, on a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from elastic_timer_conformance.soak.summary import (
    FORMAT,
    SummaryError,
    as_markdown,
    read_summary,
)


def a_summary(**changed: Any) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "specification": "1.2.3",
        "backend": {"name": "tiny", "version": "tiny 1"},
        "machine": {"system": "Linux", "release": "6", "cpus": 2, "python": "CPython 3.13"},
        "command": "python -m elastic_timer_conformance soak --times=40",
        "started": "2026-11-24T12:00:00+00:00",
        "duration": 3600.0,
        "arguments": [],
        "busy": True,
        "jobs": 1,
        "asked": 40,
        "runs": 40,
        "failed": [],
        "broken": [],
        "seconds": [90.0] * 40,
        "load": [3.5, 2.5],
        "requirements": [{"id": "A", "runs": 40, "failed": []}],
        "tests": [
            {"id": "test_a", "layer": "interface", "runs": 40, "failed": []},
            {"id": "test_b", "layer": "process", "runs": 40, "failed": []},
            {"id": "test_c", "layer": "process", "runs": 20, "failed": []},
        ],
        **changed,
    }


SOME_FAILED = a_summary(
    failed=[7, 9, 11],
    broken=[11],
    runs=39,
    requirements=[
        {"id": "A", "runs": 39, "failed": [7, 9]},
        {"id": "B", "runs": 39, "failed": []},
    ],
    tests=[{"id": "test_b", "layer": "process", "runs": 39, "failed": [7, 9]}],
)


def test_it_says_what_was_run_and_how_often() -> None:
    lines = list(as_markdown([a_summary(), SOME_FAILED]))
    assert lines[0] == "|  | `tiny` | `tiny` |"
    assert "| Part of the suite | all | all |" in lines
    assert "| Runs | 40 of 40 | 40 of 40 |" in lines
    assert "| Runs that failed | 0 | 3 |" in lines
    assert "| Requirements | 1 in 40 runs each | 2 in 39 runs each |" in lines
    assert "| Tests of the interface layer | 1 in 40 runs each | none |" in lines
    assert "| Tests of the process layer | 2 in 20 to 40 runs each | 1 in 39 runs each |" in lines
    assert "| Tests run in all | 100 | 39 |" in lines
    assert "| Tests that failed | 0 | 2 |" in lines
    assert "| Load average, highest | 3.5 | 3.5 |" in lines
    assert "| Date | 2026-11-24 | 2026-11-24 |" in lines
    assert "| Duration | 60 min | 60 min |" in lines


def test_no_failure_says_how_rare_one_may_be() -> None:
    [line] = [line for line in as_markdown([a_summary()]) if line.startswith("`tiny`: ")]
    # The test that was run least often decides: 1 - 0.05 ** (1 / 20).
    assert line.startswith("`tiny`: nothing failed in any run. ")
    assert "fails by chance in 13.9% of all runs" in line


def test_failures_are_told_with_their_rate() -> None:
    lines = list(as_markdown([SOME_FAILED], "<{}>".format))
    assert "`tiny`: 3 of 40 runs failed." in lines
    assert [line for line in lines if line.startswith("- ")] == [
        "- <A>: 2 of 39 runs (5.1%)",
        "- `test_b`: 2 of 39 runs (5.1%)",
        "- run 11 came to no report",
    ]


def test_a_part_of_the_suite_is_named() -> None:
    lines = list(as_markdown([a_summary(arguments=["--layer=process", "-k", "a or b"])]))
    assert "| Part of the suite | `--layer=process -k 'a or b'` |" in lines


def test_it_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "soak.json"
    path.write_text(json.dumps(a_summary()))
    assert read_summary(path) == a_summary()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "No such file"),
        ("{", "no summary of a soak"),
        ("[]", "make it anew"),
        (json.dumps({"format": FORMAT}), "make it anew"),
        (json.dumps(a_summary(format=FORMAT + 1)), "make it anew"),
        (json.dumps(a_summary(runs=0, backend=None)), "none of its runs has come to a report"),
    ],
)
def test_what_is_none_is_refused(tmp_path: Path, text: str | None, reason: str) -> None:
    path = tmp_path / "soak.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SummaryError, match=reason):
        read_summary(path)

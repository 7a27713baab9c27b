"""Reports: for programs by a schema, and for readers as a table."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.latency import Reap
from elastic_timer_conformance.report import as_document, as_table, write_json
from elastic_timer_conformance.run import Run
from elastic_timer_conformance.verdict import Measurement, Outcome, TestResult
from elastic_timer_spec import Profile, load
from tiny_backends import TinyBackend

SCHEMA = json.loads(
    resources.files("elastic_timer_conformance").joinpath("report.schema.json").read_text("utf-8")
)


def make_run(backend: Any = None, profiles: frozenset[Profile] = frozenset(Profile)) -> Run:
    run = Run(load(), backend or TinyBackend(), "tiny_backends:TinyBackend", Allowance(), profiles)
    for number, (requirement, outcome, message) in enumerate(
        [
            ("QUEUE-SIZE", Outcome.FAILED, "AssertionError: 4 of 5\nassert 4 == 5"),
            ("QUEUE-ORDER", Outcome.PASSED, ""),
            ("QUEUE-GET-EARLY", Outcome.NOT_APPLICABLE, "no queue"),
        ]
    ):
        test = f"test_{number}"
        run.results[test] = TestResult(test, (requirement,), outcome, 0.25, message)
    run.results["test_1"].measured.append(Measurement("latency", 0.0125))
    run.results["test_0"].reaps += [Reap(0.0021, True), Reap(0.0042, True), Reap(-0.5, False)]
    return run


def test_a_report_keeps_to_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(as_document(make_run()), SCHEMA)


def test_a_report_says_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.json"
    write_json(make_run(), path)
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report["backend"]["version"] == "tiny 1"
    assert report["specification"] == load().version
    assert report["passed"] is False
    assert report["problems"] == ["QUEUE-SIZE is violated"]
    assert report["counts"]["conforms"] == 1
    [size] = [entry for entry in report["requirements"] if entry["id"] == "QUEUE-SIZE"]
    assert size["verdict"] == "violates"
    assert size["reason"] == "AssertionError: 4 of 5\nassert 4 == 5"
    assert size["digest"] == load().requirements["QUEUE-SIZE"].digest
    assert size["tests"] == ["test_0"]


def test_the_table_says_it_in_a_line_each() -> None:
    lines = list(as_table(make_run()))
    [size] = [line for line in lines if " QUEUE-SIZE " in line]
    assert size.split(None, 4)[:4] == ["✗", "QUEUE-SIZE", "MUST", "violates"]
    latency = "2 samples, p50 2.1 ms, p99 4.2 ms, worst 4.2 ms; early firings 1 of 3"
    assert size.endswith(f"violates        4 of 5; reaped after expiry: {latency}")
    assert any(line.endswith("conforms        latency: 12.5 ms") for line in lines)
    assert "The request queue" in lines
    assert lines[-2].startswith("1 conforms, 1 violates, ")
    assert lines[-1] == f"Latency: reaped after expiry: {latency}"


@pytest.mark.parametrize(
    ("run", "command"),
    [
        (make_run(), "--backend tiny_backends:TinyBackend"),
        (
            make_run(profiles=frozenset({Profile.CORE})),
            "--backend tiny_backends:TinyBackend --profile core",
        ),
    ],
)
def test_the_command_repeats_the_run(run: Run, command: str) -> None:
    assert run.command() == f"python -m elastic_timer_conformance {command}"

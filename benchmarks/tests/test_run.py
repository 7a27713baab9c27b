"""A run gives everybody a turn in every round, and its results survive being written."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchmarks.contenders import CONTENDERS, Side
from benchmarks.harness import run as run_module
from benchmarks.harness.measurement import Entrant, Measurement, Plan, Samples, entrants
from benchmarks.harness.results import SCHEMA, Results, load, save
from benchmarks.harness.run import run, steps
from benchmarks.harness.turn import TurnError
from benchmarks.measurements import MEASUREMENTS
from benchmarks.report.tables import results_page
from benchmarks.report.targets import verdicts


def answer(measurement: Measurement, plan: Plan, entrant: Entrant) -> Samples:
    """Take a turn without measuring: PyTorch's figures are ten times as high."""
    figure = 0.02 if entrant.side is Side.PYTORCH else 0.002
    return {quantity.id: [figure, figure] for quantity in measurement.quantities}


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setattr(run_module, "PYTORCH", True)
    return run(list(MEASUREMENTS.values()), quick=True, command="a test", turn=answer)


def schema() -> Any:
    return json.loads(SCHEMA.read_text("utf-8"))


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("measurement", MEASUREMENTS.values(), ids=lambda one: one.name)
def test_everybody_has_one_turn_in_each_round(measurement: Measurement, quick: bool) -> None:
    plan = measurement.quick if quick else measurement.full
    turns = Counter((step.round, step.entrant.name) for step in steps([measurement], quick=quick))
    assert set(turns.values()) == {1}
    assert len(turns) == plan.rounds * len(plan.entrants)
    assert {each.name for each in measurement.quick.entrants} <= {
        each.name for each in measurement.full.entrants
    }


def test_each_round_begins_with_another_entrant() -> None:
    plan = Plan(entrants("local", "file", "torch-local"), rounds=3, settings={})
    measurement = dataclasses.replace(MEASUREMENTS["drain"], full=plan)
    names = [step.entrant.name for step in steps([measurement], quick=False)]
    assert names[::3] == ["local", "file", "torch-local"]


@pytest.mark.parametrize("measurement", MEASUREMENTS.values(), ids=lambda one: one.name)
def test_a_measurement_has_a_reference_that_takes_part(measurement: Measurement) -> None:
    assert measurement.reference in {entrant.name for entrant in measurement.full.entrants}
    assert len({quantity.id for quantity in measurement.quantities}) == len(measurement.quantities)


def test_results_fit_the_schema_and_come_back(results: Results, tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    save(results, path)
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(json.loads(path.read_text("utf-8")), schema())
    assert results_page(load(path)) == results_page(results)
    assert [each.name for each in path.parent.iterdir()] == ["results.json"]


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text('{"format": 0}', "utf-8")
    with pytest.raises(ValueError, match="has the format 0"):
        load(path)


def test_a_turn_that_fails_is_told_and_the_others_go_on() -> None:
    def fail_once(measurement: Measurement, plan: Plan, entrant: Entrant) -> Samples:
        if entrant.name == "file":
            raise TurnError("no answer")
        return answer(measurement, plan, entrant)

    results = run(
        [MEASUREMENTS["drain"]],
        quick=True,
        command="a test",
        only_contenders=["local", "file"],
        turn=fail_once,
    )
    found = results.measurements["drain"].entrants
    assert list(found) == ["local", "file"]
    assert found["file"].errors == ["no answer"]
    assert found["local"].summary("rate") is not None
    assert "file: 1 turns failed; the last: `no answer`" in results_page(results)


def test_the_page_has_a_row_for_everybody_and_a_verdict_for_each_target(results: Results) -> None:
    page = results_page(results)
    for measurement in MEASUREMENTS.values():
        assert f"## {measurement.title}\n" in page
    for entry in CONTENDERS.values():
        assert f"| {entry.label} |" in page
    assert "figures of a quick run" in page
    by_target = {verdict.target: verdict for verdict in verdicts(results)}
    assert by_target["import: 20x cheaper than PyTorch's"].met is False
    assert by_target["import: 20x cheaper than PyTorch's"].measured.startswith("10.0x")
    assert by_target["local: detection delay at defaults, p99, under 5 ms"].met is True
    assert by_target["local: drains 10x as many requests a second as PyTorch's"].met is False
    assert all(verdict.met is not None for verdict in by_target.values())


def test_a_target_without_figures_is_not_measured() -> None:
    results = run(
        [MEASUREMENTS["import"]],
        quick=True,
        command="a test",
        only_contenders=["elastic_timer"],
        turn=answer,
    )
    assert {verdict.met for verdict in verdicts(results)} == {None}


def test_without_pytorch_its_timers_take_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "PYTORCH", False)
    results = run(list(MEASUREMENTS.values()), quick=True, command="a test", turn=answer)
    sides = {each.side for one in results.measurements.values() for each in one.entrants.values()}
    assert sides == {Side.OURS, Side.OTHER, Side.FLOOR}

"""The command measures and renders, end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from benchmarks.__main__ import main
from benchmarks.harness.results import SCHEMA, load
from benchmarks.measurements import MEASUREMENTS

ROOT = Path(__file__).parent.parent.parent
SHOWN = ROOT / "docs" / "data" / "benchmark.json"

# PyTorch takes seconds to import, and longer on a busy machine; this only ends what hangs.
TIMEOUT = 300


def benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def test_quick_only_import(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    ended = benchmarks("--quick", "--only", "import", "--output", str(path))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    document = json.loads(path.read_text("utf-8"))
    jsonschema.validate(document, json.loads(SCHEMA.read_text("utf-8")))
    results = load(path)
    assert results.quick
    assert list(results.measurements) == ["import"]
    ours = results.measurements["import"].entrants["elastic_timer"]
    assert [len(samples) for samples in ours.rounds["seconds"]] == [1, 1]
    assert "| elastic_timer | **" in ended.stdout
    assert "import: elastic_timer, round 1 of 2" in ended.stderr


def test_real_time_is_done_or_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    ended = benchmarks("--quick", "--only", "import", "--real-time", "--output", str(path))
    if ended.returncode == 0:
        assert load(path).machine["scheduling"] == "before all others (SCHED_FIFO)"
    else:
        assert "CAP_SYS_NICE" in ended.stderr
        assert not path.exists()


@pytest.mark.parametrize("measurement", ["drain", "memory"])
def test_a_measurement_with_a_server_and_workers(measurement: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    ended = benchmarks(
        *("--quick", "--only", measurement, "--contender", "local", "--output", str(path))
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = load(path).measurements[measurement].entrants["local"]
    for quantity in MEASUREMENTS[measurement].quantities:
        assert found.summary(quantity.id) is not None


def test_a_contender_that_takes_no_part_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--only", "drain", "--contender", "empty-class"]) == 2
    assert "none of these contenders" in capsys.readouterr().err


def test_plots_take_their_colours_from_the_page(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="only plots need it: the session bench installs it")
    from benchmarks.report.plots import draw_all

    (tmp_path / "data").mkdir()
    for path in draw_all(load(SHOWN), tmp_path):
        svg = path.read_text("utf-8")
        assert svg.startswith('<svg class="benchmark" role="img" aria-label="')
        drawn = svg[svg.index("</style>") :]
        assert "var(--plot-ours)" in drawn
        assert "#0" not in drawn.replace('"#', "")


def test_the_page_shows_results_that_fit_the_schema() -> None:
    jsonschema.validate(json.loads(SHOWN.read_text("utf-8")), json.loads(SCHEMA.read_text("utf-8")))
    table = SHOWN.with_suffix(".inc").read_text("utf-8")
    for name in load(SHOWN).measurements:
        assert f"## {MEASUREMENTS[name].title}\n" in table

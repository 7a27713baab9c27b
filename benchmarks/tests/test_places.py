"""What is published does not tell where things are on the machine that measured."""

from __future__ import annotations

import sys
import sysconfig
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.harness.places import without_places
from benchmarks.harness.turn import TurnError, take_turn
from benchmarks.measurements import MEASUREMENTS

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'File "{ROOT}/benchmarks/x.py", line 3', 'File "benchmarks/x.py", line 3'),
        (f'"{sysconfig.get_path("purelib")}/a/b.py"', '"site-packages/a/b.py"'),
        (f"{sys.executable} failed", f"{Path(sys.executable).name} failed"),
        (f"--output={tempfile.gettempdir()}/a.json", "--output=a.json"),
        (f"'{Path.home()}/a b/c'", "'a b/c'"),
        ("no '/srv/somebody/timers', nor /opt/x", "no 'timers', nor x"),
        ("12/s of and/or, a/b/c.py, ./d/e, https://example.org/f/g", None),
        ("/proc/self/stat and /dev/null", None),
    ],
)
def test_paths_of_this_machine_are_left_out_and_nothing_else(
    text: str, expected: str | None
) -> None:
    assert without_places(text) == (text if expected is None else expected)


def test_a_turn_that_fails_tells_why_and_not_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # so that it is looked up again
    measurement = MEASUREMENTS["import"]
    plan = measurement.quick
    with pytest.raises(TurnError, match="KeyError: 'nobody'") as error:
        take_turn(measurement, plan, replace(plan.entrants[0], name="nobody"))
    said = str(error.value)
    assert 'File "benchmarks/measurements/importing.py"' in said
    for place in (ROOT, tmp_path, Path(sys.prefix), Path.home()):
        assert f"{place}/" not in said

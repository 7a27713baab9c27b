"""The programs that show what the suite found in PyTorch's timers print what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent
FINDINGS = DOCS / "examples" / "findings"
PROGRAMS = sorted(FINDINGS.glob("*.py"))

# They sleep more than they compute. All of them at once would keep each other from being in time.
AT_ONCE = 3
# Seconds: far above what any of them takes (ten), for a machine that is busy with other things.
TIMEOUT = 120
# What a program says if its worker did not leave its block in time, which proves nothing.
TOO_SLOW = "left its block in time: False"

LAST_PID = "/proc/sys/kernel/ns_last_pid"


def run(program: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    for _ in range(5):
        result = subprocess.run(
            [sys.executable, program],
            env={**os.environ, "TMPDIR": str(directory)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        if TOO_SLOW not in result.stdout:
            break
    return result


@pytest.fixture(scope="module")
def results(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[Path, Future[subprocess.CompletedProcess[str]]]]:
    """The programs' runs, which begin when the first one is asked for."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            program: pool.submit(run, program, tmp_path_factory.mktemp(program.stem))
            for program in PROGRAMS
        }


@pytest.mark.skipif(
    find_spec("torch") is None,
    reason="PyTorch is not installed here; the programs are run by the session conformance_torch: "
    "python3 -m nox -s conformance_torch",
)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_finding_can_be_seen(
    program: Path, results: dict[Path, Future[subprocess.CompletedProcess[str]]]
) -> None:
    if program.stem == "process_pid_reuse" and not os.access(LAST_PID, os.W_OK):
        pytest.skip(f"the kernel lets this user not write {LAST_PID}")
    result = results[program].result()
    assert result.returncode == 0, result.stderr
    assert result.stdout == program.with_suffix(".out").read_text("utf-8"), result.stderr


def test_every_finding_is_shown_with_what_it_prints() -> None:
    page = (DOCS / "findings.md").read_text("utf-8")
    shown = set(re.findall(r"\{literalinclude\} examples/findings/(\S+)", page))
    assert shown == {file.name for file in FINDINGS.iterdir() if file.is_file()}

"""One entrant's turn: a measurement in a process of its own, whose answer is read from a file."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from .machine import let_the_harness_go_first
from .measurement import Entrant, Measurement, Plan, Samples
from .places import without_places

__all__ = ["TurnError", "take_turn"]

_ROOT = Path(__file__).parent.parent.parent


class TurnError(RuntimeError):
    """A turn gave no answer; the message ends with what it wrote."""


def take_turn(measurement: Measurement, plan: Plan, entrant: Entrant) -> Samples:
    """Measure one entrant once, in a new process.

    Raises:
        TurnError: it failed, or took longer than the plan's time limit.
    """
    settings = {**plan.settings, **entrant.settings}
    with tempfile.TemporaryDirectory(prefix="elastic-timer-bench-") as directory:
        answer = Path(directory) / "answer.json"
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", __name__, measurement.name, entrant.contender),
                *(json.dumps(settings), str(answer)),
            ],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # With its workers in a group of their own, none of them is left behind.
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=plan.time_limit)
        except subprocess.TimeoutExpired:
            raise TurnError(
                f"{measurement.name}, {entrant.name}: no answer in {plan.time_limit:g} s"
            ) from None
        finally:
            _end_group(process)
        if process.returncode != 0 or not answer.exists():
            raise TurnError(
                f"{measurement.name}, {entrant.name}: exit status {process.returncode}\n"
                # Cut afterwards, so that no end of a path is left that is not recognised.
                f"{without_places(output)[-4000:]}"
            )
        samples: Samples = json.loads(answer.read_text("utf-8"))
        return samples


def _end_group(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _main(name: str, contender: str, settings: str, answer: str) -> None:
    from ..measurements import MEASUREMENTS

    let_the_harness_go_first()
    samples = MEASUREMENTS[name].measure(contender, json.loads(settings))
    Path(answer).write_text(json.dumps(samples), "utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])

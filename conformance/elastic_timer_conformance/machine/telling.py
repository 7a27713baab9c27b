"""Telling of a difference: the steps that lead to it, where they are kept, how to repeat them."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

from elastic_timer_conformance.machine.difference import ModelError
from elastic_timer_conformance.machine.machine import Machine
from elastic_timer_conformance.machine.minimise import Failure
from elastic_timer_conformance.machine.trace import Step, Trace

__all__ = ["model_error"]


def model_error(
    machine: Machine,
    failure: Failure,
    backend: str,
    requirements: Sequence[str],
    directory: Path | None,
) -> ModelError:
    """Write the trace of a failure into a new file, and return the error that tells of it.

    `backend` is what the command line knows the backend by.
    """
    steps, difference = failure
    trace = Trace(machine.name, steps, backend, str(difference), requirements)
    path = _new_file(machine.name, directory)
    trace.write(path)
    replay = ["python", "-m", "elastic_timer_conformance", "replay", str(path)]
    lines = [
        f"{difference} ({', '.join(requirements)})" if requirements else str(difference),
        _so_many(steps),
        *(f"  {number}. {machine.described(step)}" for number, step in enumerate(steps, 1)),
        f"They are kept in {path}. To take them again:",
        f"  {shlex.join([*replay, '--backend', backend])}",
    ]
    return ModelError("\n".join(lines), requirements)


def _so_many(steps: Sequence[Step]) -> str:
    if not steps:
        return "It takes no step but those that the machine takes in the end."
    return f"It takes {len(steps)} step{'s' if len(steps) != 1 else ''}:"


def _new_file(machine: str, directory: Path | None) -> Path:
    with tempfile.NamedTemporaryFile(
        prefix=f"trace-{machine}-", suffix=".json", dir=directory, delete=False
    ) as file:
        return Path(file.name)

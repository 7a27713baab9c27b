"""What it costs to import the timers: every worker of a job does, at every restart."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from ..contenders import Side
from ..harness.measurement import Entrant, Measurement, Plan, Quantity, Samples

__all__ = ["MEASUREMENT"]

_STATEMENTS = {
    "elastic_timer": "import elastic_timer",
    "elastic_timer-local": "from elastic_timer import LocalTimerServer, LocalTimerClient",
    "elastic_timer-all": "from elastic_timer import *",
    "torch": "import torch.distributed.elastic.timer",
}

_PROGRAM = """
from time import perf_counter
start = perf_counter()
{statement}
print(perf_counter() - start)
"""


def measure(contender: str, settings: Mapping[str, Any]) -> Samples:
    """Import in a new interpreter, several times."""
    program = _PROGRAM.format(statement=_STATEMENTS[contender])
    # As an installed package is: pip has compiled PyTorch, but nobody this checkout.
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    samples = []
    for _ in range(1 + settings["repetitions"]):
        result = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        samples.append(float(result.stdout))
    return {"seconds": samples[1:]}


_ENTRANTS = (
    Entrant("elastic_timer", "elastic_timer", Side.OURS),
    Entrant("elastic_timer-local", "elastic_timer, local backend", Side.OURS),
    Entrant("elastic_timer-all", "elastic_timer, every backend", Side.OURS),
    Entrant("torch", "torch.distributed.elastic.timer", Side.PYTORCH),
)

MEASUREMENT = Measurement(
    name="import",
    title="Importing",
    method=(
        "Time of the import statement in a new interpreter, by turns; an import before has compiled"
        " the byte code and brought the files into the page cache. Backends of Elastic Timer are"
        " imported when they are first used, so they are measured with and without."
    ),
    quantities=(Quantity("seconds", "import", "s"),),
    reference="torch",
    full=Plan(_ENTRANTS, rounds=10, settings={"repetitions": 3}),
    quick=Plan(_ENTRANTS, rounds=2, settings={"repetitions": 1}),
    measure=measure,
)

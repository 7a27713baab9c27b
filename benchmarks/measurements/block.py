"""What it costs a worker to enter and leave a guarded block.

Blocks are timed in short batches, and between two batches the server catches up: a worker that does
anything at all inside its blocks never waits for a full transport, nor does this one. pyperf runs
the worker, warms it up and takes the samples.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..harness.measurement import Measurement, Plan, Quantity, Samples, entrants

__all__ = ["MEASUREMENT"]

BATCH = 100
"""Blocks in a batch. Their requests fit the smallest transport, the 64 KiB of a pipe, with the
longest scopes here, of about 130 bytes a request."""

KINDS: dict[str, str | None] = {"explicit": "step", "default": None, "processor": "step"}
"""What is timed, and with which scope."""

_BATCHES = {"explicit": 5, "default": 1, "processor": 3}
"""Batches that make a sample: of what takes milliseconds a block, and of what is waited for after
each, there need not be as many."""


def measure(contender: str, settings: Mapping[str, Any]) -> Samples:
    """Have pyperf run a worker for each kind of cost."""
    import pyperf

    samples: Samples = {}
    with tempfile.TemporaryDirectory() as directory:
        for kind in settings["kinds"]:
            result = Path(directory) / f"{kind}.json"
            subprocess.run(
                [
                    *(sys.executable, "-m", f"{__package__}.block_worker"),
                    *(f"--contender={contender}", f"--kind={kind}", "--quiet"),
                    *("--processes=1", f"--warmups={settings['warmups']}"),
                    *(f"--values={settings['values']}", f"--loops={_BATCHES[kind]}"),
                    f"--output={result}",
                ],
                check=True,
            )
            samples[kind] = list(pyperf.Benchmark.load(str(result)).get_values())
    return samples


_ENTRANTS = entrants(
    "shared-memory",
    "local",
    "file",
    "torch-local",
    "torch-file",
    "faulthandler",
    "setitimer",
    "empty-contextmanager",
    "empty-class",
)

MEASUREMENT = Measurement(
    name="block",
    title="Entering and leaving a guarded block",
    method=(
        f"Time of one `with expires(...): pass` in a worker, in batches of {BATCH}, a server of the"
        " same backend running beside it at its defaults (PyTorch's file server with"
        " `max_interval=0.01`, so that it reads between two batches). Between batches the server"
        " empties the transport. That leaves out what a thread of the client does after the batch:"
        " `multiprocessing.Queue` has one that pickles and sends. The processor time of the worker"
        " contains it. PyTorch's default scope costs the more, the deeper the call stack is: these"
        " blocks are 18 calls deep. `faulthandler` and `setitimer` have no scopes; the empty"
        " blocks take the same arguments and do nothing."
    ),
    quantities=(
        Quantity("explicit", "explicit scope", "s"),
        Quantity("default", "default scope", "s"),
        Quantity("processor", "processor time, explicit scope", "s"),
    ),
    reference="torch-local",
    full=Plan(
        _ENTRANTS,
        # Many rounds of few samples: how fast a machine is changes from one minute to the next.
        rounds=7,
        settings={"kinds": list(KINDS), "warmups": 1, "values": 4},
    ),
    quick=Plan(
        _ENTRANTS,
        rounds=1,
        settings={"kinds": list(KINDS), "warmups": 1, "values": 3},
    ),
    measure=measure,
)

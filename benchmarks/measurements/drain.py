"""How fast a server takes requests out of its transport, and what that costs its processor."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from ..contenders import make_backend
from ..harness.measurement import Measurement, Plan, Quantity, Samples, entrants
from .client_process import Sender
from .counted import Counted
from .scratch import scratch_directory

__all__ = ["MEASUREMENT"]

_SCOPES = [f"train.py#{line}" for line in range(100, 108)]
"""A worker goes round through a few blocks."""


def measure(contender: str, settings: Mapping[str, Any]) -> Samples:
    """Fill the transport and time its server's watchdogs, several times."""
    samples: Samples = {"rate": [], "cpu": []}
    requests: int = settings["requests"]
    scopes = _SCOPES * (requests // (2 * len(_SCOPES)))
    with scratch_directory() as directory, ExitStack() as workers:
        backend = make_backend(contender, directory)
        server = backend.make_server()
        backend.widen()
        senders = [
            workers.enter_context(Sender(backend, scopes, release=True))
            for _ in range(1 + settings["refills"])
        ]
        counted = Counted(server)
        # What was imported is not the timers': a full collection of PyTorch's objects takes 0.1 s.
        gc.collect()
        gc.freeze()
        for number, sender in enumerate(senders, start=1):
            sender.send()
            wall, cpu = time.perf_counter(), time.process_time()
            while counted.requests < number * requests:
                backend.run_watchdog(server)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if number > 1:  # the first one warms up
                samples["rate"].append(requests / wall)
                samples["cpu"].append(cpu / requests)
    return samples


_ENTRANTS = entrants("local", "file", "torch-local", "torch-file")

MEASUREMENT = Measurement(
    name="drain",
    title="Draining the transport",
    method=(
        "A worker acquires and releases 8 timers by turns until the transport holds 4,000 requests"
        " (every pipe is widened to 1 MiB, PyTorch's too, and everything is in it), and stays"
        " alive. Then the server's own watchdogs run until all are registered. The"
        " garbage collector leaves out what was there before, PyTorch's modules above all."
        " PyTorch's file server reads as in its `run_once`: at its defaults it would sleep in"
        " between. Shared memory has no requests to drain."
    ),
    quantities=(
        Quantity("rate", "requests drained", "1/s", higher_is_better=True),
        Quantity("cpu", "processor time a request", "s"),
    ),
    reference="torch-local",
    # Many rounds of few samples: how fast a machine is changes from one minute to the next.
    full=Plan(_ENTRANTS, rounds=12, settings={"requests": 4000, "refills": 4}),
    quick=Plan(_ENTRANTS, rounds=1, settings={"requests": 4000, "refills": 4}),
    measure=measure,
)

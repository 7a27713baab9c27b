"""How fast a server takes requests out of its transport, and what that costs its processor."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..contenders import Backend, make_backend
from ..harness.measurement import Measurement, Plan, Quantity, Samples, entrants
from .client_process import sent
from .counted import Counted
from .scratch import scratch_directory

__all__ = ["MEASUREMENT"]

_SCOPES = [f"train.py#{line}" for line in range(100, 108)]
"""A worker goes round through a few blocks."""


def measure(contender: str, settings: Mapping[str, Any]) -> Samples:
    """Fill the transport and time its server's watchdogs, several times."""
    samples: Samples = {"rate": [], "cpu": []}
    with scratch_directory() as directory:
        backend = make_backend(contender, directory)
        server = backend.make_server()
        backend.widen()
        _drain(backend, server, settings["requests"])  # the first one warms up
        for _ in range(settings["refills"]):
            wall, cpu = _drain(backend, server, settings["requests"])
            samples["rate"].append(settings["requests"] / wall)
            samples["cpu"].append(cpu / settings["requests"])
    return samples


def _drain(backend: Backend, server: Any, requests: int) -> tuple[float, float]:
    """Return the seconds, and those of the processor, that it takes to serve ``requests``."""
    counted = Counted(server)
    rounds = requests // (2 * len(_SCOPES))
    with sent(backend, _SCOPES * rounds, release=True):
        wall, cpu = time.perf_counter(), time.process_time()
        while counted.requests < requests:
            backend.run_watchdog(server)
        return time.perf_counter() - wall, time.process_time() - cpu


_ENTRANTS = entrants("local", "file", "torch-local", "torch-file")

MEASUREMENT = Measurement(
    name="drain",
    title="Draining the transport",
    method=(
        "A worker acquires and releases 8 timers by turns until the transport holds 4,000 requests"
        " (every pipe is widened to 1 MiB, PyTorch's too, and everything is in it), and stays"
        " alive. Then the server's own watchdogs run until all are registered. PyTorch's file"
        " server reads as in its `run_once`: at its defaults it would sleep in between. Shared"
        " memory has no requests to drain."
    ),
    quantities=(
        Quantity("rate", "requests drained", "1/s", higher_is_better=True),
        Quantity("cpu", "processor time a request", "s"),
    ),
    reference="torch-local",
    full=Plan(_ENTRANTS, rounds=5, settings={"requests": 4000, "refills": 10}),
    quick=Plan(_ENTRANTS, rounds=1, settings={"requests": 4000, "refills": 4}),
    measure=measure,
)

"""What a watchdog costs while nothing happens, by how many timers are armed."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from ..contenders import CONTENDERS, FAR_AWAY, Side, make_backend
from ..harness.measurement import Entrant, Measurement, Plan, Quantity, Samples, entrants
from .client_process import Sender
from .scratch import scratch_directory

__all__ = ["MEASUREMENT"]

_WORKERS = 8
"""Workers that the timers belong to: as many as a host has GPUs."""

_MAX_INTERVAL = 1e-9
"""Seconds for which one watchdog waits for requests: over before anybody can fall asleep. To do so
and to be woken costs more processor time than the rest of our watchdogs, and the same for all."""


def measure(contender: str, settings: Mapping[str, Any]) -> Samples:
    """Register ever more timers, and take the processor time of watchdogs that find nothing."""
    samples: Samples = {}
    with scratch_directory() as directory, ExitStack() as workers:
        backend = make_backend(contender, directory)
        server = backend.make_server(max_interval=_MAX_INTERVAL)
        backend.widen()
        pids = [
            workers.enter_context(Sender(backend, [], release=False)).pid for _ in range(_WORKERS)
        ]
        armed = 0
        for count in settings["timers"]:
            far = time.time() + FAR_AWAY
            server.register_timers(
                [
                    backend.make_request(pids[n % _WORKERS], f"scope {n}", far + n * 1e-6)
                    for n in range(armed, count)
                ]
            )
            armed = count
            gc.collect()
            for _ in range(settings["warmups"]):
                backend.run_watchdog(server)
            samples[str(count)] = [_watch(backend, server) for _ in range(settings["watchdogs"])]
    return samples


def _watch(backend: Any, server: Any) -> float:
    before = time.thread_time()
    backend.run_watchdog(server)
    return time.thread_time() - before


_TORCH_FILE = Entrant(
    "torch-file",
    CONTENDERS["torch-file"].label,
    Side.PYTORCH,
    {"warmups": 1, "watchdogs": 5},  # each of them takes most of a second
)
_ENTRANTS = (*entrants("shared-memory", "local", "file", "torch-local"), _TORCH_FILE)
_TIMERS = (1_000, 10_000, 100_000, 1_000_000)

MEASUREMENT = Measurement(
    name="idle",
    title="One watchdog that finds nothing to do",
    method=(
        "Processor time of one watchdog while timers are armed that expire in an hour, and no"
        " request arrives. Waiting is not counted, nor falling asleep and being woken, which costs"
        " the same for everybody: `max_interval` is a nanosecond. The timers belong to eight live"
        " workers and are given to `register_timers`, the same way for everybody, from 1,000 up to"
        " 1,000,000."
        " PyTorch's file server runs as in its `run_once`, without the nine sleeps of its default"
        " watchdog."
    ),
    quantities=tuple(Quantity(str(count), f"{count:,} timers", "s") for count in _TIMERS),
    reference="torch-local",
    full=Plan(
        _ENTRANTS, rounds=3, settings={"timers": list(_TIMERS), "warmups": 2, "watchdogs": 15}
    ),
    quick=Plan(
        entrants(*(entrant.name for entrant in _ENTRANTS)),
        rounds=1,
        settings={"timers": list(_TIMERS), "warmups": 1, "watchdogs": 3},
    ),
    measure=measure,
)

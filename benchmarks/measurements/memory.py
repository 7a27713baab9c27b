"""How much memory armed timers take up in the server."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..contenders import make_backend
from ..harness.measurement import Measurement, Plan, Quantity, Samples, entrants
from .client_process import Sender
from .counted import Counted
from .scratch import scratch_directory

__all__ = ["MEASUREMENT"]

_PER_WORKER = 2_500
"""Timers of one worker: their requests fit every transport at once."""

_PATIENCE = 60.0
"""Seconds for a server to look at all tables, which takes it about one."""


def measure(contender: str, settings: Mapping[str, Any]) -> Samples:
    """Arm timers from worker processes, and compare the server's memory before and after."""
    timers: int = settings["timers"]
    with scratch_directory() as directory, ExitStack() as workers:
        backend = make_backend(contender, directory)
        server = backend.make_server()
        counted = Counted(server)
        chunks = [
            [f"train.py#{line}" for line in range(first, first + _PER_WORKER)]
            for first in range(0, timers, _PER_WORKER)
        ]
        if backend.outlives_server:
            server.start()  # once, for workers to find what it has made
            server.stop()
            for chunk in chunks:
                workers.enter_context(Sender(backend, chunk, release=False)).send()
            before = _resident()
            server.start()
            _wait(lambda: counted.requests >= timers)
        else:
            backend.widen()
            before = _resident()
            for number, chunk in enumerate(chunks, start=1):
                workers.enter_context(Sender(backend, chunk, release=False)).send()
                while counted.requests < number * _PER_WORKER:
                    backend.run_watchdog(server)
        grown = _resident() - before
        files = sum(path.stat().st_blocks * 512 for path in directory.iterdir())
    scale = 100_000 / timers
    return {"server": [grown * scale], "files": [files * scale]}


def _resident() -> int:
    """Return the bytes of memory that this process occupies."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the server has not registered everything in {_PATIENCE} s")
        time.sleep(0.01)


_ENTRANTS = entrants("shared-memory", "local", "file", "torch-local", "torch-file")

MEASUREMENT = Measurement(
    name="memory",
    title="Memory of 100,000 armed timers",
    method=(
        f"Workers arm {_PER_WORKER:,} timers each through the transport. What the server's resident"
        " memory has grown by once it has registered 100,000 of them; and what the files take up"
        " that the timers are in, if any: shared memory reserves a page for each scope that a"
        " worker has ever used, which the worker's own kernel memory pays for."
    ),
    quantities=(
        Quantity("server", "the server's memory", "bytes"),
        Quantity("files", "files in memory", "bytes", compared=False),
    ),
    reference="torch-local",
    full=Plan(_ENTRANTS, rounds=2, settings={"timers": 100_000}),
    quick=Plan(_ENTRANTS, rounds=1, settings={"timers": 25_000}),
    measure=measure,
)

"""A real server and real workers in real time, with faults, beside the model."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.hosts import Hosts
from elastic_timer_conformance.machine.machine import Machine, MakeRun
from elastic_timer_conformance.machine.processes.blame import PARTS, blamed
from elastic_timer_conformance.machine.processes.rules import ProcessRules, plainer
from elastic_timer_conformance.machine.processes.run import ProcessRun
from elastic_timer_conformance.machine.processes.telling import described

__all__ = ["PROCESSES", "process_runs"]


@contextmanager
def process_runs(
    backend: Backend, name: str, parts: Collection[str], hosts: Hosts | None = None
) -> Iterator[MakeRun]:
    """Return what makes runs, one after the other in the same host processes."""
    with ExitStack() as stack:
        prefix = "elastic-timer-machine-"
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix)))
        pool = hosts or stack.enter_context(closing(Hosts(name, directory, Allowance())))
        numbers = itertools.count(1)

        def make_run(patience: float) -> ProcessRun:
            return ProcessRun(backend, pool, directory / f"run-{next(numbers)}", parts, patience)

        yield make_run


PROCESSES = Machine(
    *("processes", PARTS, process_runs, ProcessRules, described, plainer, blamed), is_costly=True
)

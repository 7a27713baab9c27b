"""Real workers, their server and the model: the same steps, faults among them, the same outcome.

A failure is held against what its steps are about, which may be another requirement than the test's
own. What belongs to a backend's deviations is left out: here it would only take time. See the page
on model-based tests in the documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.fixtures import RUN
from elastic_timer_conformance.harness.hosts import Hosts
from elastic_timer_conformance.machine.check import check_workers_against_model
from elastic_timer_conformance.machine.processes import PROCESSES
from elastic_timer_conformance.requirement import not_applicable, requirement

Check = Callable[[set[str], int], None]

# What is demanded, and not done: see check_workers_against_model.
DEMANDS = {"in time", "survival"}

# Sequences, each of which takes about half a second on a machine that is not busy.
FEW = 3
SOME = 8


@pytest.fixture
def check_workers(
    backend: Backend, hosts: Hosts, pytestconfig: pytest.Config, tmp_path: Path
) -> Check:
    """A function that compares workers with the model: with parts, and so many sequences."""

    def check(parts: set[str], usual: int) -> None:
        run = pytestconfig.stash[RUN]
        examples = pytestconfig.option.examples or usual
        tried = check_workers_against_model(
            backend,
            name=run.spec,
            parts=[part for part in PROCESSES.parts_for(backend) if part in parts],
            examples=examples,
            random_seed=pytestconfig.option.seed,
            # Not that of known deviations: nothing that is done here belongs to one.
            patience=run.allowance.signal,
            directory=tmp_path,
            hosts=hosts,
        )
        if tried < examples:
            not_applicable(f"there was time for {tried} of {examples} sequences of steps only")

    return check


@requirement("PROCESS-ONLY-HUNG@4920b427")
def test_who_hangs_is_reaped_and_nobody_else(check_workers: Check) -> None:
    check_workers(DEMANDS, FEW)


@requirement("WATCHDOG-NO-FALSE-REAP@68b7469d")
def test_likewise_whatever_happens(check_workers: Check) -> None:
    check_workers(set(PROCESSES.parts) - {"crash"}, SOME)


@requirement("DURABLE-SERVER-CRASH@20e39cfa")
def test_likewise_when_servers_are_killed(check_workers: Check) -> None:
    check_workers({*DEMANDS, "suspension", "crash"}, FEW)

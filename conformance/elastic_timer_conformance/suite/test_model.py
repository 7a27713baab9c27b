"""The server and the model: the same steps, and the same outcome.

A failure is held against what its steps are about, which may be another requirement than the test's
own. See the page on model-based tests in the documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.fixtures import RUN
from elastic_timer_conformance.machine.check import check_server_against_model
from elastic_timer_conformance.requirement import not_applicable, requirement

Check = Callable[[Collection[str] | None], None]

# Sequences of twenty steps. Each takes about ten milliseconds, so that these tests together take
# two seconds, and every pair of steps occurs many times in them.
EXAMPLES = 20


@pytest.fixture
def check_server(
    backend: Backend, allowance: Allowance, pytestconfig: pytest.Config, tmp_path: Path
) -> Check:
    """A function that compares the server with the model, given what may happen besides."""

    def check(parts: Collection[str] | None) -> None:
        examples = pytestconfig.option.examples or EXAMPLES
        tried = check_server_against_model(
            backend,
            name=pytestconfig.stash[RUN].spec,
            parts=parts,
            examples=examples,
            random_seed=pytestconfig.option.seed,
            patience=allowance.signal,
            directory=tmp_path,
        )
        if tried < examples:
            not_applicable(f"there was time for {tried} of {examples} sequences of steps only")

    return check


@requirement("SERVER-REGISTER-ORDER@48835f22", "WATCHDOG-REAPED@47ae5bc4")
def test_the_server_does_what_the_model_does(check_server: Check) -> None:
    check_server(None)


@requirement("SERVER-CLEAR@69007bea")
def test_likewise_when_workers_are_cleared(check_server: Check) -> None:
    check_server({"clear"})


@requirement("WATCHDOG-REAP-FAILED@b3829baf")
def test_likewise_when_reaping_fails(check_server: Check) -> None:
    check_server({"reap fails"})


@requirement("WATCHDOG-REAP-RAISES@5b0d2561")
def test_likewise_when_reaping_raises(check_server: Check) -> None:
    check_server({"reap raises"})


@requirement("CLOCK-STEP@9ac9d712")
def test_likewise_when_the_wall_clock_jumps(check_server: Check) -> None:
    check_server({"wall clock"})

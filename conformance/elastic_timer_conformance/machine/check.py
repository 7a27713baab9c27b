"""Checking a backend against the model: what a backend's author or a test calls."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.machine.controlled import CONTROLLED
from elastic_timer_conformance.machine.finding import Effort, find
from elastic_timer_conformance.machine.machine import Machine
from elastic_timer_conformance.machine.telling import model_error

__all__ = ["check_server_against_model"]

# Seconds. A sequence takes milliseconds, unless the backend is wrong in a way that makes it wait:
# then this is what looking for a failure may take.
TIME_TO_SEARCH = 60.0


def check_server_against_model(
    backend: Backend,
    *,
    name: str | None = None,
    parts: Collection[str] | None = None,
    examples: int = 100,
    steps: int = 20,
    random_seed: int = 0,
    patience: float = 10.0,
    seconds: float = TIME_TO_SEARCH,
    directory: Path | None = None,
) -> int:
    """Drive a backend's server and the model through the same random steps, on a controlled clock.

    Workers acquire, acquire again and release, in scopes of all kinds; time passes; watchdogs run;
    workers are cleared; reaping fails or raises; the wall clock jumps. After every step the
    server's table and whom it has reaped are compared with the model.

    It needs `Backend.idle_server`, and neither pytest nor worker processes.

    Args:
        backend: what is checked.
        name: what the command line knows it by (a known name or `module:Class`), for the message;
            by default, the name that it has itself.
        parts: what may happen besides acquiring, releasing, time passing and watchdogs: some of
            `clear`, `reap fails`, `reap raises` and `wall clock`. By default, all that do not
            belong to one of the backend's deviations.
        examples: how many sequences of steps are tried.
        steps: how many steps a sequence has.
        random_seed: the same one makes the same sequences; another one makes others.
        patience: how long a request may take to reach a watchdog, in seconds.
        seconds: after this time no other sequence is begun.
        directory: where the trace of a failure is written; by default, where temporary files are.

    Returns:
        How many sequences were tried.

    Raises:
        ModelError: the backend and the model differ.
        NotOffered: the backend has no idle server.
    """
    effort = Effort(examples, steps, random_seed, patience, seconds)
    return _check(CONTROLLED, backend, name or backend.name, parts, effort, directory)


def _check(
    machine: Machine,
    backend: Backend,
    name: str,
    parts: Collection[str] | None,
    effort: Effort,
    directory: Path | None,
) -> int:
    if parts is None:
        parts = machine.parts_for(backend)
    outcome = find(machine, backend, name, parts, effort)
    if outcome.found is not None:
        raise model_error(machine, outcome.found, name, outcome.requirements, directory)
    return outcome.tried

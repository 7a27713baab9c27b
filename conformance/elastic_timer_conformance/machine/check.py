"""Checking a backend against the model: what a backend's author or a test calls."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path

from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.backends import name_of
from elastic_timer_conformance.harness.hosts import Hosts
from elastic_timer_conformance.machine.controlled import CONTROLLED
from elastic_timer_conformance.machine.finding import Effort, find
from elastic_timer_conformance.machine.machine import Machine
from elastic_timer_conformance.machine.processes import PROCESSES, process_runs
from elastic_timer_conformance.machine.telling import model_error

__all__ = ["check_server_against_model", "check_workers_against_model"]

# Seconds. A sequence takes milliseconds on a controlled clock and tenths of a second with real
# processes, unless the backend is wrong in a way that makes it wait: then this is what looking for
# a failure may take.
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
        name: what the command line knows it by, for the message; by default, its known name or
            `module:Class`.
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
    return _check(CONTROLLED, backend, name, parts, effort, directory)


def check_workers_against_model(
    backend: Backend,
    *,
    name: str | None = None,
    parts: Collection[str] | None = None,
    examples: int = 50,
    steps: int = 12,
    random_seed: int = 0,
    patience: float = 10.0,
    seconds: float = TIME_TO_SEARCH,
    directory: Path | None = None,
    hosts: Hosts | None = None,
) -> int:
    """Drive real workers and their server through the same random steps as the model, with faults.

    Workers acquire, acquire again and release, enter and leave blocks, and end; they hang in calls
    that keep the GIL, fork, are stopped, go on, and are killed, also in the middle of sending; the
    server's process is suspended, the server is stopped and started again, its wall
    clock jumps, and bytes arrive that are no request. Whoever holds an expired timer has to be
    reaped while the server runs, and nobody else: not before a deadline, not after a release that
    had returned before it. Workers that end have to end with status 0, and the server has to live.

    Each sequence takes some tenths of a second, in which real time passes. What the machine is
    doing besides does not matter: what a worker was in time for is told by its own clock readings,
    and what has to come may take as long as `patience` says. A difference counts if it shows again
    when the same steps are taken again.

    It needs the four methods of `Backend` that have no default, and not pytest.

    Args:
        backend: what is checked.
        name: what the command line knows it by, by which host processes and workers find it too;
            by default, its known name or `module:Class`.
        parts: what may happen besides acquiring, releasing, blocks, ends and time: some of
            `suspension`, `restart`, `nested blocks`, `hang at once`, `fork`, `busy`, `stop`,
            `kill`, `wall clock`, `malformed`, `half a request` and `crash`. Two others are
            demands: `in time`, without which a release counts only if it had returned `patience`
            before the deadline, and `survival`, without which a server may end itself over reaping.
            By default, all that the backend has the hooks for and that do not belong to one of its
            deviations.
        examples: how many sequences of steps are tried.
        steps: how many times something happens in a sequence.
        random_seed: the same one makes the same sequences; another one makes others.
        patience: how long a busy machine may take for what has to come, in seconds.
        seconds: after this time no other sequence is begun.
        directory: where the trace of a failure is written; by default, where temporary files are.
        hosts: where server and workers are to run; by default, in host processes made for this.

    Returns:
        How many sequences were tried.

    Raises:
        ModelError: the backend and the model differ.
        NotOffered: a part was asked for that the backend has no hook for.
    """
    machine = replace(PROCESSES, runs=partial(process_runs, hosts=hosts))
    effort = Effort(examples, steps, random_seed, patience, seconds)
    return _check(machine, backend, name, parts, effort, directory)


def _check(
    machine: Machine,
    backend: Backend,
    name: str | None,
    parts: Collection[str] | None,
    effort: Effort,
    directory: Path | None,
) -> int:
    name = name_of(backend) if name is None else name
    if parts is None:
        parts = machine.parts_for(backend)
    outcome = find(machine, backend, name, parts, effort)
    if outcome.found is not None:
        raise model_error(machine, outcome.found, name, outcome.requirements, directory)
    return outcome.tried

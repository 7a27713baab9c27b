"""Checking a backend's server against the model: what a backend's author or a test calls."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from pathlib import Path

from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.stand_ins import stand_ins
from elastic_timer_conformance.machine.blame import PARTS, blamed, held_against
from elastic_timer_conformance.machine.controlled import STAND_INS, ControlledRun
from elastic_timer_conformance.machine.minimise import Failure, minimised
from elastic_timer_conformance.machine.rules import ControlledRules, plainer
from elastic_timer_conformance.machine.search import quiet, search, take
from elastic_timer_conformance.machine.telling import model_error
from elastic_timer_conformance.machine.trace import Step

__all__ = ["check_server_against_model"]

# Seconds. A sequence takes milliseconds, unless the backend is wrong in a way that makes it wait:
# then this is what looking for a failure may take, and what making one plainer may.
TIME_TO_SEARCH = 60.0
TIME_TO_MINIMISE = 20.0


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
    deviations = {deviation.requirement for deviation in backend.deviations}
    if parts is None:
        parts = [part for part, requirement in PARTS.items() if requirement not in deviations]
    tried = 0
    end = time.monotonic() + seconds
    with quiet(), stand_ins(STAND_INS) as pids:

        def make_run() -> ControlledRun:
            return ControlledRun(backend, pids, patience)

        def make_rules() -> ControlledRules:
            nonlocal tried
            if time.monotonic() >= end:
                return ControlledRules(None, parts)
            tried += 1
            return ControlledRules(make_run(), parts)

        def again(candidate: Sequence[Step]) -> Failure | None:
            return take(make_run, candidate)

        found = search(make_rules, examples, steps, random_seed)
        if found is None:
            return min(tried, examples)
        shortest = minimised(found, again, TIME_TO_MINIMISE, plainer)
        requirements = held_against(blamed(shortest, again), deviations)
    raise model_error("controlled", shortest, name or backend.name, requirements, directory)

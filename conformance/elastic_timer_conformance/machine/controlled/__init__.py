"""A server on a controlled clock, one watchdog at a time, beside the model: exact, and fast."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial

from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.stand_ins import stand_ins
from elastic_timer_conformance.machine.controlled.blame import PARTS, blamed
from elastic_timer_conformance.machine.controlled.rules import ControlledRules, plainer
from elastic_timer_conformance.machine.controlled.run import STAND_INS, ControlledRun
from elastic_timer_conformance.machine.controlled.telling import described
from elastic_timer_conformance.machine.machine import Machine, MakeRun

__all__ = ["CONTROLLED"]


@contextmanager
def runs(backend: Backend, name: str, parts: Collection[str]) -> Iterator[MakeRun]:
    """Return what makes runs, all beside the same processes that stand for workers."""
    with stand_ins(STAND_INS) as pids:
        yield partial(ControlledRun, backend, pids)


CONTROLLED = Machine("controlled", PARTS, runs, ControlledRules, described, plainer, blamed)

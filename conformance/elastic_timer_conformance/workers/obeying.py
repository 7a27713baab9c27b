"""Workers that are told what to do, one order after the other, until they are told to end."""

from __future__ import annotations

import json
import os
import time
from functools import cached_property
from typing import Any

from elastic_timer_conformance.harness.journal import LOOK_AGAIN
from elastic_timer_conformance.workers import WorkerContext, take
from elastic_timer_conformance.workers.blocks import Nest
from elastic_timer_conformance.workers.flood import Holder
from elastic_timer_conformance.workers.hanging import hang_in

__all__ = ["obey"]

# Seconds. A worker that is busy leaves some of a core to others, so that the server keeps up.
PAUSE = 0.001


def obey(worker: WorkerContext, orders: str) -> None:
    """Carry out orders, JSON lists one a line, from a named pipe until one of them is `end`.

    Besides the steps of `take` there are

    `["at once", how, order]`: carry out the order, and hang in this way in the next instruction.
    `["enter", scope, after]`: enter a guarded block.
    `["leave"]`: leave the block that was entered last.
    `["busy", after, gate]`: hold timers of `after` seconds, one after the other, until the gate is
    open, also where they are refused.
    `["fork", orders]`: fork a child that obeys orders from another pipe; it writes `forked`.
    `["end"]`: end as workers do that have done their work.

    After each order that is over it writes `done`, with the kinds and the text of the error if the
    order was refused.
    """
    _Obedient(worker).obey(orders)


class _Obedient:
    def __init__(self, worker: WorkerContext) -> None:
        self._worker = worker
        self._nest = Nest(worker)

    def obey(self, orders: str) -> None:
        """Carry out the orders that come through a pipe."""
        with open(orders, encoding="utf-8") as lines:
            for line in lines:
                order = json.loads(line)
                if order == ["end"]:
                    return
                self.carry_out(order)

    @cached_property
    def _holder(self) -> Holder:
        return Holder(self._worker)

    def carry_out(self, order: list[Any]) -> None:
        """Carry out an order, and say so."""
        if order[0] == "at once":
            with hang_in(self._worker, order[1]):
                self.carry_out(order[2])
        refusal: dict[str, Any] = {}
        try:
            self._try(order)
        except Exception as error:
            kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
            refusal = {"refused": kinds, "text": str(error)}
        self._worker.journal.write("done", **refusal)

    def _try(self, order: list[Any]) -> None:
        match order:
            case ["enter", scope, after]:
                self._nest.enter(scope, after)
            case ["leave"]:
                self._nest.leave()
            case ["busy", after, str(gate)]:
                self._be_busy(after, gate)
            case ["fork", str(orders)]:
                self._fork(orders)
            case _:
                take(self._worker, tuple(order))

    def _be_busy(self, after: float, gate: str) -> None:
        while True:
            try:
                self._holder.hold_until(gate, after, PAUSE)
                return
            except OSError:
                # Of a timer that was refused nobody knows when it may expire.
                self._holder.late = True
                time.sleep(LOOK_AGAIN)

    def _fork(self, orders: str) -> None:
        """Fork a child. It loses its parent at once, so whoever adopts orphans sees how it ends."""
        between = os.fork()
        if between:
            os.waitpid(between, 0)
            return
        status = 1
        try:
            if os.fork() == 0:
                # It is in the same blocks, and a worker of its own.
                vars(self).pop("_holder", None)
                self._worker.journal.write("forked", orders=orders)
                self.obey(orders)
            status = 0
        finally:
            os._exit(status)

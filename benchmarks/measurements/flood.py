"""Who is reaped falsely while workers flood the server, and whether hung ones are found."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Mapping
from typing import Any

from ..contenders import Backend, make_backend
from ..harness.machine import take_turns_with_each_other
from ..harness.measurement import Measurement, Plan, Quantity, Samples, entrants
from .scratch import scratch_directory

__all__ = ["MEASUREMENT"]

_TICK = 0.02
"""Seconds between two looks at the workers; what is timed here takes far longer."""


class _Crew:
    """The workers of one flood.

    ``blocks``, ``errors`` and ``_entered`` are shared with the healthy workers, one slot each: the
    blocks it has left, the exceptions out of a block, and when it entered its last block. Of hung
    workers, ``_hangs`` is when they entered theirs, and ``_refused`` how often they could not.
    """

    def __init__(self, backend: Backend, settings: Mapping[str, Any]) -> None:
        self._backend = backend
        self._after: float = settings["after"]
        self._context = multiprocessing.get_context("fork")
        size = settings["workers"]
        self.blocks = self._context.RawArray("q", size)
        self.errors = self._context.RawArray("q", size)
        self._entered = self._context.RawArray("d", size)
        self.workers = [self._start(slot) for slot in range(size)]
        self._hangs = self._context.RawArray("d", settings["most_hung"])
        self._refused = self._context.RawArray("q", settings["most_hung"])
        self.hung: list[tuple[Any, int]] = []
        self._hung_so_far = 0
        self.killed = 0
        self.held_up = 0
        self.delays: list[float] = []

    def look(self) -> None:
        """Count who was killed, and put others in their places."""
        for slot, worker in enumerate(self.workers):
            if not worker.is_alive():
                self.killed += 1
                entered = self._entered[slot]
                if time.monotonic() - _TICK - entered >= self._after:
                    self.held_up += 1
                self.workers[slot] = self._start(slot)
        now = time.monotonic()
        for worker, slot in list(self.hung):
            if not worker.is_alive():
                self.delays.append(now - self._hangs[slot] - self._after)
                self.hung.remove((worker, slot))

    def add_hung(self) -> None:
        """Start a worker that enters a block and hangs."""
        slot = self._hung_so_far
        self._hung_so_far += 1
        worker = self._context.Process(target=self._hang, args=(slot,), daemon=True)
        worker.start()
        self.hung.append((worker, slot))

    def exceptions(self) -> int:
        """Return how many blocks could not be entered or left, of healthy and hung workers."""
        return int(sum(self.errors) + sum(self._refused))

    def dismiss(self) -> None:
        """End everybody."""
        for worker in [*self.workers, *(worker for worker, _ in self.hung)]:
            worker.kill()
            worker.join()

    def _start(self, slot: int) -> Any:
        self._entered[slot] = time.monotonic()
        worker = self._context.Process(target=self._work, args=(slot,), daemon=True)
        worker.start()
        return worker

    def _work(self, slot: int) -> None:
        self._backend.prepare()
        while True:
            self._entered[slot] = time.monotonic()
            try:
                with self._backend.expires(self._after, "step"):
                    pass
            except Exception:
                self.errors[slot] += 1
            else:
                self.blocks[slot] += 1

    def _hang(self, slot: int) -> None:
        def entered() -> None:
            while True:
                signal.pause()

        self._backend.prepare()
        while True:
            self._hangs[slot] = time.monotonic()
            try:
                self._backend.hang(self._after, entered)
            except Exception:
                self._refused[slot] += 1
                time.sleep(_TICK)


def measure(contender: str, settings: Mapping[str, Any]) -> Samples:
    """Flood a server for a while."""
    take_turns_with_each_other()
    with scratch_directory() as directory:
        backend = make_backend(contender, directory)
        with backend.serving() as server:
            crew = _Crew(backend, settings)
            try:
                served = _flood(crew, server, settings)
            finally:
                crew.dismiss()
    return {
        "false_reaps": [float(crew.killed - crew.held_up)],
        "held_up": [float(crew.held_up)],
        "reaped": [float(len(crew.delays))],
        "missed": [float(len(crew.hung))],
        "delay": crew.delays,
        "errors": [float(crew.exceptions())],
        "blocks": [sum(crew.blocks) / settings["seconds"]],
        "served": [served],
    }


def _flood(crew: _Crew, server: Any, settings: Mapping[str, Any]) -> float:
    """Look after the crew; return for how many seconds there was a server."""
    began = time.monotonic()
    ends = began + settings["seconds"]
    next_hung = began + settings["hung_every"]
    served = settings["seconds"]
    while (now := time.monotonic()) < ends:
        # The last one has to have had time to be found.
        if now >= next_hung and now < ends - 2 * settings["hung_every"]:
            crew.add_hung()
            next_hung += settings["hung_every"]
        crew.look()
        if not server.is_alive():
            served = min(served, now - began)
        time.sleep(_TICK)
    return float(served)


_ENTRANTS = entrants("shared-memory", "local", "file", "torch-local", "torch-file")

MEASUREMENT = Measurement(
    name="flood",
    title="A flood of requests, and hung workers in it",
    method=(
        "Four healthy workers enter and leave one block with a timer of 0.5 s as fast as they can,"
        " and every 2 s another worker hangs in such a block, while a server runs at its defaults."
        " Healthy workers that are reaped are replaced; reaped *falsely* is one that had left every"
        " block in time, *held up* one that its own acquire or release kept for 0.5 s or more. Hung"
        " workers that live on when the flood ends are *missed*. PyTorch's file server ends its own"
        " process at the first reaping. The workers and the server take turns on the processors,"
        " also in a run that goes before all others: there, at the priority -20."
    ),
    quantities=(
        Quantity("false_reaps", "reaped falsely", "count", statistic="total", compared=False),
        Quantity("held_up", "held up and reaped", "count", statistic="total", compared=False),
        Quantity(
            "reaped",
            "hung and reaped",
            "count",
            statistic="total",
            compared=False,
            higher_is_better=True,
        ),
        Quantity("missed", "hung and missed", "count", statistic="total", compared=False),
        Quantity(
            "delay", "latest reaping after expiration", "s", statistic="maximum", compared=False
        ),
        Quantity("errors", "exceptions out of blocks", "count", statistic="total", compared=False),
        Quantity("blocks", "blocks of all four", "1/s", higher_is_better=True),
        Quantity("served", "the server lived", "s", higher_is_better=True, compared=False),
    ),
    reference="torch-local",
    full=Plan(
        _ENTRANTS,
        rounds=1,
        settings={"workers": 4, "after": 0.5, "seconds": 30.0, "hung_every": 2.0, "most_hung": 20},
    ),
    quick=Plan(
        _ENTRANTS,
        rounds=1,
        settings={"workers": 4, "after": 0.5, "seconds": 6.0, "hung_every": 1.0, "most_hung": 20},
    ),
    measure=measure,
)

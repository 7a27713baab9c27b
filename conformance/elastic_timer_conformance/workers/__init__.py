"""What runs inside worker processes. Imports nothing heavy: every worker pays for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from elastic_timer_conformance.harness import wall_clock
from elastic_timer_conformance.harness.journal import Journal

__all__ = ["Setup", "WorkerContext", "follow", "func", "func2", "main", "take"]

WorkerFunction = Callable[..., None]


@dataclass(frozen=True)
class Setup:
    """What a worker is sent when it is started: names, not objects, except for the client."""

    backend: str
    client: Any
    journal: str


class WorkerContext:
    """What a worker's function gets: its client, its journal, and the interface being judged."""

    def __init__(self, setup: Setup) -> None:
        self.client = setup.client
        self.journal = Journal(setup.journal)
        self._spec = setup.backend

    @cached_property
    def backend(self) -> Any:
        """The backend being judged; imported when it is asked for."""
        from elastic_timer_conformance.backends import load_backend

        return load_backend(self._spec)

    @property
    def api(self) -> Any:
        """The backend's namespace."""
        return self.backend.api


def main(function: WorkerFunction, setup: Setup, args: Sequence[Any]) -> None:
    """Be a worker: the target of every worker process."""
    function(WorkerContext(setup), *args)


def func(worker: WorkerContext, after: float, scope: str | None = None) -> None:
    """Hang in a guarded block. Writes `entered`, with the deadline as monotonic time."""
    worker.api.configure(worker.client)
    before = time.monotonic()
    with worker.api.expires(after=after, scope=scope):
        worker.journal.write("entered", deadline=before + after)
        hang()


def func2(worker: WorkerContext, after: float, scope: str | None = None, blocks: int = 1) -> None:
    """Leave guarded blocks at once, go on until the gate `go` is open, and exit.

    Writes `left`, with the last deadline, and whether each block was left before its own: on a
    machine that is too busy for that, the worker proves nothing.
    """
    worker.api.configure(worker.client)
    in_time = True
    for _ in range(blocks):
        before = time.monotonic()
        with worker.api.expires(after=after, scope=scope):
            pass
        in_time = in_time and time.monotonic() < before + after
    worker.journal.write("left", deadline=before + after, in_time=in_time)
    worker.journal.wait_at_gate("go")


def follow(worker: WorkerContext, *steps: tuple[Any, ...]) -> None:
    """Take the given steps, one after the other; see `take`."""
    for step in steps:
        take(worker, step)


def take(worker: WorkerContext, step: tuple[Any, ...]) -> None:
    """Take one step, and write an entry after it.

    The entries `acquiring` and `releasing` stand before those of an acquire and a release, should
    the worker not live to write these.

    `("acquire", scope, after)`: acquire the scope until `after` seconds from now.
    `("acquire unless refused", scope, after)`: likewise, but go on if the client says that no
    server reads; the entry says whether it was `refused`.
    `("acquire at", scope, expiration_time)`: likewise, until this time.
    `("release", scope)`: release the scope.
    `("step clock", seconds)`: let this process's wall clock jump.
    `("gate", name)`: wait until the test opens the gate of this name.
    `("hang",)`: do nothing any more.
    """
    match step:
        case ("acquire", str(scope), after):
            before, expiration_time = time.monotonic(), time.time() + after
            worker.journal.write("acquiring", scope=scope, deadline=before + after)
            worker.client.acquire(scope, expiration_time)
            worker.journal.write("acquire", scope=scope, deadline=before + after)
        case ("acquire unless refused", str(scope), after):
            before, expiration_time = time.monotonic(), time.time() + after
            refused = False
            worker.journal.write("acquiring", scope=scope, deadline=before + after)
            try:
                worker.client.acquire(scope, expiration_time)
            except OSError:
                refused = True
            worker.journal.write(
                "acquire unless refused",
                scope=scope,
                deadline=before + after,
                refused=refused,
            )
        case ("acquire at", str(scope), expiration_time):
            worker.client.acquire(scope, expiration_time)
            worker.journal.write("acquire at", scope=scope)
        case ("release", str(scope)):
            worker.journal.write("releasing", scope=scope)
            worker.client.release(scope)
            worker.journal.write("release", scope=scope)
        case ("step clock", seconds):
            wall_clock.step(seconds)
            worker.journal.write("step clock")
        case ("gate", str(name)):
            worker.journal.write("at gate", name=name)
            worker.journal.wait_at_gate(name)
        case ("hang",):
            worker.journal.write("hang")
            hang()
        case _:
            raise ValueError(f"no such step: {step}")


def hang() -> None:
    """Never return."""
    while True:
        time.sleep(3600)

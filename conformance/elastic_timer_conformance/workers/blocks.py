"""What workers do with several guarded blocks: one in another, one beside another."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from elastic_timer_conformance.workers import WorkerContext, hang

__all__ = [
    "Nest",
    "hang_after_an_inner_block",
    "hang_beside_another_task",
    "hang_beside_another_thread",
]

# Seconds: a timer that is not to expire.
NEVER = 3600.0


class Nest:
    """Guarded blocks that are entered and left one by one, each inside those entered before.

    Writes what `acquire` and `release` write: entering acquires, and so does leaving a block inside
    another one of its scope (EXPIRES-NESTED-REARM). Every other leaving releases.
    """

    def __init__(self, worker: WorkerContext) -> None:
        self._worker = worker
        self._blocks: list[tuple[Any, str, float]] = []

    def enter(self, scope: str, after: float) -> None:
        """Enter a block of `after` seconds."""
        block = self._worker.api.expires(after=after, scope=scope, client=self._worker.client)
        with self._acquiring(scope, after):
            block.__enter__()
        self._blocks.append((block, scope, after))

    def leave(self) -> None:
        """Leave the block that was entered last, if there is one."""
        if not self._blocks:
            return
        block, scope, _ = self._blocks.pop()
        around = [after for _, other, after in self._blocks if other == scope]
        with self._acquiring(scope, around[-1]) if around else self._releasing(scope):
            block.__exit__(None, None, None)

    @contextmanager
    def _acquiring(self, scope: str, after: float) -> Iterator[None]:
        deadline = time.monotonic() + after
        self._worker.journal.write("acquiring", scope=scope, deadline=deadline)
        yield
        self._worker.journal.write("acquire", scope=scope, deadline=deadline)

    @contextmanager
    def _releasing(self, scope: str) -> Iterator[None]:
        self._worker.journal.write("releasing", scope=scope)
        yield
        self._worker.journal.write("release", scope=scope)


def hang_after_an_inner_block(worker: WorkerContext, after: float, raises: bool) -> None:
    """Hang in the rest of a block, after another one of its scope inside it has ended.

    Writes `left`, with the deadline that the rest of the block has.
    """
    worker.api.configure(worker.client)
    with worker.api.expires(after=after, scope="scope"):
        with suppress(ZeroDivisionError), worker.api.expires(after=NEVER, scope="scope"):
            before = time.monotonic()
            if raises:
                raise ZeroDivisionError
        worker.journal.write("left", deadline=before + after)
        hang()


def hang_beside_another_thread(worker: WorkerContext, after: float) -> None:
    """Hang in a block that another thread has entered after this one, and left.

    Writes `left`, with the deadline of the thread that hangs.
    """
    worker.api.configure(worker.client)
    first_is_in, second_is_out = threading.Event(), threading.Event()

    def enter(duration: float, first: bool) -> None:
        before = time.monotonic()
        with worker.api.expires(after=duration):
            if first:
                first_is_in.set()
                second_is_out.wait()
                worker.journal.write("left", deadline=before + duration)
                hang()
        second_is_out.set()

    threading.Thread(target=enter, args=(after, True), daemon=True).start()
    first_is_in.wait()
    threading.Thread(target=enter, args=(NEVER, False), daemon=True).start()
    hang()


def hang_beside_another_task(worker: WorkerContext, after: float) -> None:
    """Hang in a block that another asyncio task has entered after this one, and left.

    Writes `left`, with the deadline of the task that hangs.
    """
    worker.api.configure(worker.client)

    async def run() -> None:
        first_is_in, second_is_out = asyncio.Event(), asyncio.Event()

        async def enter(duration: float, first: bool) -> None:
            before = time.monotonic()
            with worker.api.expires(after=duration):
                await asyncio.sleep(0)
                if first:
                    first_is_in.set()
                    await second_is_out.wait()
                    worker.journal.write("left", deadline=before + duration)
                    await asyncio.Event().wait()
            second_is_out.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(enter(after, True))
            await first_is_in.wait()
            group.create_task(enter(NEVER, False))

    asyncio.run(run())

"""What workers do with several guarded blocks: one in another, one beside another."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress

from elastic_timer_conformance.workers import WorkerContext, hang

__all__ = [
    "hang_after_an_inner_block",
    "hang_beside_another_task",
    "hang_beside_another_thread",
]

# Seconds: a timer that is not to expire.
NEVER = 3600.0


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

"""Workers that send without a pause, to be killed, stopped or refused in the middle of it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.workers import WorkerContext, hang

__all__ = ["Tally", "send_endlessly", "send_many", "send_until_refused"]

# Seconds: a timer that does not expire while a test lasts.
NEVER = 3600.0

# Characters. With it a few thousand requests fill any pipe, and each still has an atomic write.
LONG_SCOPE = 1000

# Bytes in a page of memory, in which /proc/self/statm counts.
PAGE = os.sysconf("SC_PAGE_SIZE")


class Tally:
    """How many requests a producer has sent: a file with a byte for each.

    A byte that was written stays, whatever becomes of the process.
    """

    def __init__(self, journal: Journal, producer: int) -> None:
        self._path = Path(f"{journal.path}.sent.{producer}")

    def open(self) -> int:
        """Begin it; return its descriptor. The producer's side."""
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def count(self) -> int:
        """Return how many calls to send have returned."""
        return self._path.stat().st_size if self._path.exists() else 0


def send_many(worker: WorkerContext, count: int) -> None:
    """After the gate `send`: acquire so many scopes, or as many as are not refused; hang.

    Writes `ready` before the gate, and `sending` after it.
    """
    scope = "x" * LONG_SCOPE
    never = time.time() + NEVER
    _use_once(worker)
    worker.journal.write("ready")
    worker.journal.wait_at_gate("send")
    worker.journal.write("sending")
    with contextlib.suppress(OSError):
        for number in range(count):
            worker.client.acquire(f"{number} {scope}", never)
    hang()


def send_endlessly(worker: WorkerContext, producer: int) -> None:
    """After the gate `send`: put numbered requests into a queue until the gate `enough` opens.

    Writes `ready` before, and `enough`, with how many there were, afterwards.
    """
    make = worker.backend.request
    enough = f"{worker.journal.path}.enough"
    tally = Tally(worker.journal, producer).open()
    worker.journal.write("ready")
    worker.journal.wait_at_gate("send")
    sent = 0
    while not os.path.exists(enough):
        worker.client.put(make(1, f"{producer}/{sent}", float(sent)))
        os.write(tally, b".")
        sent += 1
    worker.journal.write("enough", sent=sent)
    hang()


def send_until_refused(worker: WorkerContext, method: str, count: int, after: float) -> None:
    """After the gate `send`: acquire or release one scope until that is refused.

    Each request comes with a scope string of its own, so that one that is kept takes memory.
    Writes `ready`, and `refused`: the error's kind (None after `count` calls) and text, the number
    of calls, the longest call in seconds, and by how many bytes the process's memory has grown.
    Then, after the gate `go on`, it hangs with a timer of `after` seconds, and writes `acquire`.
    """
    never = time.time() + NEVER
    error: Exception | None = None
    longest = 0.0
    _use_once(worker)
    worker.journal.write("ready")
    worker.journal.wait_at_gate("send")
    memory = _memory()
    calls = 0
    while error is None and calls < count:
        scope = "x" * LONG_SCOPE
        before = time.monotonic()
        try:
            if method == "acquire":
                worker.client.acquire(scope, never)
            else:
                worker.client.release(scope)
        except Exception as caught:
            error = caught
        longest = max(longest, time.monotonic() - before)
        calls += 1
    kinds = (
        [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
        if error is not None
        else None
    )
    worker.journal.write(
        "refused",
        kinds=kinds,
        text=str(error),
        calls=calls,
        longest=longest,
        grown=_memory() - memory,
    )
    worker.journal.wait_at_gate("go on")
    deadline = time.monotonic() + after
    worker.client.acquire("hung", time.time() + after)
    worker.journal.write("acquire", deadline=deadline)
    hang()


def _use_once(worker: WorkerContext) -> None:
    """Have the client do what it does only once: connect, import, start a thread."""
    worker.client.acquire("first", time.time() + NEVER)
    worker.client.release("first")


def _memory() -> int:
    """Return how many bytes of this process are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE

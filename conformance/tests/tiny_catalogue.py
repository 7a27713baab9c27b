"""Wrong backends of which some are not what they are declared to be, for tests of the check."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from elastic_timer_conformance.backend import OpenQueue
from elastic_timer_conformance.wrong.breach import breaks
from tiny_backends import TinyBackend, TinyQueue

ONE_IS_MISSED = "100 requests were sent, and size() is 99"


class MissesTheLast(TinyQueue):
    """Is wrong only where many requests wait, so that few tests see it, and none waits for long."""

    def size(self) -> int:
        waiting = super().size()
        return waiting - 1 if waiting > 64 else waiting


class _OneTooMany(MissesTheLast):
    def get(self, size: int, timeout: float) -> list[Any]:
        return super().get(size + 1 if size < self.size() else size, timeout)


@breaks("QUEUE-SIZE", seen=ONE_IS_MISSED)
class MissesTheLastOfMany(TinyBackend):
    """`size()` is one too small when many requests wait."""

    queue_class = MissesTheLast


@breaks("QUEUE-SIZE", seen="words that nobody says")
class IsDescribedWrongly(TinyBackend):
    """`size()` is one too small, but that is not what is declared to be seen."""

    queue_class = MissesTheLast


@breaks("QUEUE-GET-EMPTY", seen="nothing")
class IsRight(TinyBackend):
    """Breaks nothing at all."""


@breaks("QUEUE-SIZE", seen=ONE_IS_MISSED)
class BreaksAnotherToo(TinyBackend):
    """`size()` is one too small, and `get` returns one too many, which is not declared."""

    queue_class = _OneTooMany


@breaks("QUEUE-SIZE", seen=ONE_IS_MISSED, implies={"QUEUE-GET-BOUNDED": "it cannot count"})
class BreaksTwo(TinyBackend):
    """`size()` is one too small, and `get` returns one too many, both of which are declared."""

    queue_class = _OneTooMany


@breaks("QUEUE-SIZE", seen=ONE_IS_MISSED)
class IsRightAtFirst(TinyBackend):
    """`size()` is one too small, but not when it is tried for the first time."""

    def open_queue(self) -> OpenQueue:
        tried = Path(os.environ["ELASTIC_TIMER_TRIED"])
        # Each try is a session of its own.
        if not tried.exists():
            tried.write_text(str(os.getsid(0)))
        if tried.read_text() != str(os.getsid(0)):
            self.queue_class = MissesTheLast
        return super().open_queue()


@breaks("QUEUE-EXACTLY-ONCE", seen="requests that were sent and did not come")
class StaysInItsProcess(TinyBackend):
    """What a worker process sends stays there: no test without processes sees that."""


@breaks("QUEUE-GET-EARLY", seen="nothing")
class EndsTheProcess(TinyBackend):
    """Ends the process that judges it."""

    def open_queue(self) -> OpenQueue:
        print("it ends here", flush=True)
        os.abort()


@breaks("QUEUE-GET-EARLY", seen="nothing")
class EndsTheRun(TinyBackend):
    """Ends the run as Ctrl-C does, long before all tests were run."""

    def open_queue(self) -> OpenQueue:
        raise KeyboardInterrupt


@breaks("QUEUE-GET-EARLY", seen="nothing")
class Hangs(TinyBackend):
    """Never comes to an end."""

    def open_queue(self) -> OpenQueue:
        with open(os.environ["ELASTIC_TIMER_HANGS"], "w"):
            time.sleep(3600)
        return super().open_queue()

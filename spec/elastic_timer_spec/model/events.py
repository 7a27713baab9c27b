"""What can happen, one small thing at a time.

Two things are no events, since they are the lack of some. A worker that **hangs** takes no more
steps. And a server that is **late**, starved or suspended takes none for a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from elastic_timer_spec.model.state import Process
from elastic_timer_spec.model.timers import Outcome

__all__ = [
    "Acquires",
    "AsksSize",
    "Ends",
    "EndsInSending",
    "Event",
    "Gets",
    "IsReplacedByAnother",
    "Releases",
    "Samples",
    "ServerEnds",
    "ServerStarts",
    "ServerStops",
    "TimePasses",
    "TriesToReap",
    "WallClockJumps",
]


@dataclass(frozen=True, slots=True)
class Acquires:
    """A worker's call of `acquire` returns (CLIENT-ACQUIRE)."""

    worker: int
    scope: int
    after: int

    def __str__(self) -> str:
        return f"worker {self.worker} acquires scope {_letter(self.scope)} for {self.after}"


@dataclass(frozen=True, slots=True)
class Releases:
    """A worker's call of `release` returns (CLIENT-RELEASE)."""

    worker: int
    scope: int

    def __str__(self) -> str:
        return f"worker {self.worker} releases scope {_letter(self.scope)}"


@dataclass(frozen=True, slots=True)
class Ends:
    """A worker's process ends, in whatever way, between two requests (PROCESS-EXITED)."""

    worker: int

    def __str__(self) -> str:
        return f"worker {self.worker} ends"


@dataclass(frozen=True, slots=True)
class EndsInSending:
    """A worker is killed when it has sent a part of a request (QUEUE-KILLED-PRODUCER)."""

    worker: int

    def __str__(self) -> str:
        return f"worker {self.worker} is killed while it sends"


@dataclass(frozen=True, slots=True)
class IsReplacedByAnother:
    """Another process is given the number of a worker that has ended (PROCESS-PID-REUSE)."""

    worker: int

    def __str__(self) -> str:
        return f"another process is given the number of worker {self.worker}"


@dataclass(frozen=True, slots=True)
class TimePasses:
    """Both clocks advance by one."""

    def __str__(self) -> str:
        return "time passes by 1"


@dataclass(frozen=True, slots=True)
class WallClockJumps:
    """The wall clock jumps, and the monotonic clock does not (CLOCK-STEP)."""

    by: int

    def __str__(self) -> str:
        return f"the wall clock jumps by {self.by:+d}"


@dataclass(frozen=True, slots=True)
class Samples:
    """A watchdog begins and samples the time."""

    def __str__(self) -> str:
        return "a watchdog begins and samples the time"


@dataclass(frozen=True, slots=True)
class AsksSize:
    """The watchdog asks its queue for its size."""

    def __str__(self) -> str:
        return "the watchdog asks for the size of its queue"


@dataclass(frozen=True, slots=True)
class Gets:
    """The watchdog gets requests, registers them and judges: the last two nobody can come between.

    If there is nothing to get, its waiting is over.
    """

    def __str__(self) -> str:
        return "the watchdog gets requests, registers them and judges"


@dataclass(frozen=True, slots=True)
class TriesToReap:
    """The watchdog tries to reap a worker, and clears its timers if that counts as reaped."""

    process: Process
    outcome: Outcome

    def __str__(self) -> str:
        worker = f"worker {self.process.number}"
        match self.outcome:
            case Outcome.REAPED:
                return f"the watchdog reaps {worker}"
            case Outcome.GONE:
                return f"the watchdog finds that {worker} is gone"
            case _:
                return f"reaping {worker} {self.outcome}"


@dataclass(frozen=True, slots=True)
class ServerEnds:
    """The server's process ends, in whatever way and at any instant (DURABLE-SERVER-CRASH)."""

    def __str__(self) -> str:
        return "the server's process ends"


@dataclass(frozen=True, slots=True)
class ServerStops:
    """`stop()` takes effect, which is between two watchdogs (SERVER-STOP-BOUNDED)."""

    def __str__(self) -> str:
        return "the server stops"


@dataclass(frozen=True, slots=True)
class ServerStarts:
    """A server that was stopped is started again, or one that has ended is replaced."""

    def __str__(self) -> str:
        return "the server is started"


def _letter(scope: int) -> str:
    return chr(ord("a") + scope)


Event: TypeAlias = (
    Acquires
    | Releases
    | Ends
    | EndsInSending
    | IsReplacedByAnother
    | TimePasses
    | WallClockJumps
    | Samples
    | AsksSize
    | Gets
    | TriesToReap
    | ServerEnds
    | ServerStops
    | ServerStarts
)

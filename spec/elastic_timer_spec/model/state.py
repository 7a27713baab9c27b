"""Everything that the model knows at one moment: the workers, what they sent, and the server."""

from __future__ import annotations

import enum
from typing import NamedTuple

from elastic_timer_spec.model.timers import Request, Table

__all__ = ["Process", "Server", "State", "Watchdog", "Worker", "initial"]


class Process(NamedTuple):
    """A worker is a process, not a number (PROCESS-PID-REUSE): others had the number before it."""

    number: int
    predecessors: int


class Worker(NamedTuple):
    """The process that has a number now, and what it is owed.

    `held` and `overdue` are what this page is about, and what no server can read: the timers that
    the worker holds by its own calls, and the scopes in which it has let one expire. A scope is
    overdue for as long as the server still has something to judge it by.
    """

    process: Process
    lives: bool = True
    held: Table = ()
    overdue: tuple[int, ...] = ()


class Watchdog(NamedTuple):
    """One pass of the server's loop, and how far it has come."""

    now: int
    """The time that it sampled, and judges as of."""
    size: int = -1
    """What `size()` returned; negative while it has not been asked."""
    judged: bool = False
    late: Table = ()
    """The timers that had expired, of the workers that are still to be reaped."""
    tried: tuple[Process, ...] = ()
    """Who has been tried."""


class Server(enum.IntEnum):
    """What has become of the server."""

    RUNNING = 0
    STOPPED = 1
    GONE = 2


class State(NamedTuple):
    """One moment. `now` is the monotonic clock, `wall` by how much the wall clock is ahead."""

    workers: tuple[Worker, ...]
    now: int = 0
    wall: int = 0
    transit: tuple[Request, ...] = ()
    """The requests that were sent and not yet received, in the order in which sending was over."""
    torn: bool = False
    """Whether a part of a request is there as well, whose sender was killed while it sent."""
    table: Table = ()
    server: Server = Server.RUNNING
    watchdog: Watchdog | None = None

    def lives(self, process: Process) -> bool:
        """Return whether a process is still there: its number alone says nothing."""
        worker = self.workers[process.number]
        return worker.lives and worker.process == process


def initial(workers: int) -> State:
    """Return the state in which workers and server run, and nobody has done anything."""
    return State(tuple(Worker(Process(number, 0)) for number in range(workers)))

"""Several jobs at once, each in a process of its own, and what comes of each as it ends."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Generator, Iterable
from multiprocessing.connection import wait
from types import FrameType
from typing import Protocol, TypeVar

__all__ = ["Job", "interrupt_by_sigterm", "side_by_side"]

Result = TypeVar("Result", covariant=True)

# Seconds that a job which is told to end is granted: its hosts and workers go with it.
PATIENCE = 30.0


class Job(Protocol[Result]):
    """A process that is at work."""

    @property
    def descriptor(self) -> int:
        """Readable when the process has ended."""

    def finish(self) -> Result:
        """Return what came of it, now that it has ended."""

    def interrupt(self) -> None:
        """Tell it to end as by Ctrl-C, so that it clears up."""

    def kill(self) -> None:
        """End it at once."""


def side_by_side(
    starts: Iterable[Callable[[], Job[Result]]], at_once: int, seconds: float | None = None
) -> Generator[Result]:
    """Start jobs in this order, so many at once, and give the result of each as it ends.

    Args:
        starts: starts one job each.
        at_once: how many jobs there are at a time.
        seconds: after this time a job is killed; None for never.

    Whoever does not take all results ends those jobs that are not over, by closing the iterator.
    """
    left = iter(starts)
    running: dict[int, Job[Result]] = {}
    ends: dict[int, float] = {}
    try:
        while True:
            while len(running) < at_once and (start := next(left, None)) is not None:
                job = start()
                running[job.descriptor] = job
                if seconds is not None:
                    ends[job.descriptor] = time.monotonic() + seconds
            if not running:
                return
            for descriptor in _ended(running, min(ends.values(), default=None)):
                ends.pop(descriptor, None)
                yield running.pop(descriptor).finish()
            for descriptor in [each for each, end in ends.items() if end <= time.monotonic()]:
                del ends[descriptor]
                running[descriptor].kill()
    finally:
        _end(running)


def _ended(running: dict[int, Job[Result]], end: float | None) -> list[int]:
    """Wait until some have ended, or until this monotonic time; return their descriptors."""
    timeout = None if end is None else max(end - time.monotonic(), 0)
    return [each for each in wait(list(running), timeout) if isinstance(each, int)]


def _end(running: dict[int, Job[Result]]) -> None:
    for job in running.values():
        job.interrupt()
    end: float | None = time.monotonic() + PATIENCE
    while running:
        ended = _ended(running, end)
        for descriptor in ended:
            running.pop(descriptor).finish()
        if not ended:
            end = None
            for job in running.values():
                job.kill()


def interrupt_by_sigterm() -> None:
    """Let SIGTERM do what Ctrl-C does: raise KeyboardInterrupt, so that nothing is left behind."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

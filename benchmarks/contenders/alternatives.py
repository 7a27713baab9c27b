"""What else one would guard a block with, and the floor: blocks that guard nothing."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import time
from collections.abc import Callable, Iterator

from .contender import FAR_AWAY, Contender, time_context_manager

__all__ = ["EmptyClass", "EmptyContextManager", "Faulthandler", "SetItimer"]


class Faulthandler(Contender):
    """``faulthandler.dump_traceback_later(exit=True)``: a thread in C in the worker itself."""

    def time_blocks(self, count: int, scope: str | None) -> float:
        start = time.perf_counter()
        for _ in range(count):
            faulthandler.dump_traceback_later(FAR_AWAY, exit=True)
            try:
                pass
            finally:
                faulthandler.cancel_dump_traceback_later()
        return time.perf_counter() - start

    def hang(self, after: float, entered: Callable[[], None]) -> None:
        with open(os.devnull, "w") as nowhere:
            faulthandler.dump_traceback_later(after, exit=True, file=nowhere)
            entered()


class SetItimer(Contender):
    """``signal.setitimer`` with the signal's default action, which ends the worker itself."""

    def time_blocks(self, count: int, scope: str | None) -> float:
        start = time.perf_counter()
        for _ in range(count):
            signal.setitimer(signal.ITIMER_REAL, FAR_AWAY)
            try:
                pass
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        return time.perf_counter() - start

    def hang(self, after: float, entered: Callable[[], None]) -> None:
        signal.setitimer(signal.ITIMER_REAL, after)
        entered()


class _Empty:
    """The least that a class needs to be used like ``expires``."""

    __slots__ = ("after", "scope")

    def __init__(self, after: float, scope: str | None = None) -> None:
        self.after = after
        self.scope = scope

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc_info: object) -> None:
        pass


@contextlib.contextmanager
def _empty(after: float, scope: str | None = None) -> Iterator[None]:
    yield


class _Floor(Contender):
    def hang(self, after: float, entered: Callable[[], None]) -> None:
        raise NotImplementedError("an empty block guards nothing")


class EmptyClass(_Floor):
    """A class with empty ``__enter__`` and ``__exit__``."""

    def time_blocks(self, count: int, scope: str | None) -> float:
        return time_context_manager(_Empty, count, scope)


class EmptyContextManager(_Floor):
    """A generator function under ``contextlib.contextmanager`` that only yields."""

    def time_blocks(self, count: int, scope: str | None) -> float:
        return time_context_manager(_empty, count, scope)

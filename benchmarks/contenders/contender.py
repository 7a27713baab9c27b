"""What a measurement may ask of a contender."""

from __future__ import annotations

import abc
import contextlib
import fcntl
import multiprocessing
import os
import termios
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Any

__all__ = ["FAR_AWAY", "Backend", "Contender", "Side", "unread_bytes"]

FAR_AWAY = 3600.0
"""Seconds: an expiration that no measurement lives to see."""

_SETTLING = 0.001
"""Seconds between two looks at whether a transport is empty; everybody pauses once at least, so
that nobody gains from a processor that was never idle."""

_PATIENCE = 30.0
"""Seconds after which a transport that nobody empties is an error of the measurement."""


class Side(StrEnum):
    """Whose a contender is."""

    OURS = "ours"
    PYTORCH = "pytorch"
    OTHER = "other"
    FLOOR = "floor"


class Contender(abc.ABC):
    """Something that guards a block.

    Args:
        directory: an empty directory of its own.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @abc.abstractmethod
    def time_blocks(self, count: int, scope: str | None) -> float:
        """Enter and leave ``count`` guarded blocks; return how many seconds it took."""

    def prepare(self) -> None:  # noqa: B027  (many have nothing to do)
        """Do in this process what a worker does once, long before it enters a block."""

    @abc.abstractmethod
    def hang(self, after: float, entered: Callable[[], None]) -> None:
        """Enter a block, tell that it was entered, and never leave it.

        Args:
            after: seconds until the block is to be ended by force.
            entered: is called inside the block, and does not return.
        """

    def serving(self, **settings: Any) -> AbstractContextManager[Any]:
        """Run a server, if there is one, in a process of its own while this is entered."""
        return contextlib.nullcontext()

    def settle(self) -> None:
        """Wait until nothing is under way between the worker and its server."""
        time.sleep(_SETTLING)


def time_context_manager(
    block: Callable[[float, str | None], AbstractContextManager[object]],
    count: int,
    scope: str | None,
) -> float:
    """Time ``with block(after, scope): pass``; the same loop for all that are context managers."""
    start = time.perf_counter()
    for _ in range(count):
        with block(FAR_AWAY, scope):
            pass
    return time.perf_counter() - start


class Backend(Contender):
    """A server and its clients. The transport is made here, and processes that fork off share it.

    Class attributes say what a measurement has to know of a transport:

    - ``outlives_server``: timers are armed in it also while no server runs;
    - ``restarts``: a server goes on after it has reaped a worker.
    """

    outlives_server = False
    restarts = True

    @abc.abstractmethod
    def make_server(self, **settings: Any) -> Any:
        """Return a server that is not started; without ``settings``, at its defaults."""

    @abc.abstractmethod
    def make_client(self) -> Any:
        """Return a client for the calling process."""

    @abc.abstractmethod
    def make_request(self, worker_id: int, scope_id: str, expiration_time: float) -> Any:
        """Return a request as this backend's server registers it."""

    @abc.abstractmethod
    def expires(self, after: float, scope: str | None) -> AbstractContextManager[object]:
        """Return a guarded block of the client that was configured."""

    @abc.abstractmethod
    def unread(self) -> int:
        """Return how much the server has not read yet, in whatever unit."""

    def run_watchdog(self, server: Any) -> None:
        """Run one watchdog in the calling thread."""
        server._run_watchdog()

    def flush(self) -> None:
        """Have all that this process has sent be in the transport; it sends nothing more."""

    def widen(self) -> None:
        """Have the transport hold as many bytes as everybody else's."""

    def time_blocks(self, count: int, scope: str | None) -> float:
        return time_context_manager(self.expires, count, scope)

    def hang(self, after: float, entered: Callable[[], None]) -> None:
        with self.expires(after, "hang"):
            entered()

    def settle(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        super().settle()
        while self.unread():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the server has not read everything in {_PATIENCE} s")
            super().settle()

    def send(self, scopes: Iterable[str], *, release: bool) -> None:
        """Acquire a timer for each scope, and release it again or not; everything is sent then."""
        client = self.make_client()
        expiration_time = time.time() + FAR_AWAY
        for scope in scopes:
            client.acquire(scope, expiration_time)
            if release:
                client.release(scope)
        self.flush()

    @contextlib.contextmanager
    def serving(self, **settings: Any) -> Iterator[Any]:
        """Run a server in a process of its own; yields that process, which may end by itself."""
        context = multiprocessing.get_context("fork")
        here, there = context.Pipe()
        process = context.Process(target=self._serve, args=(here, there, settings), daemon=True)
        process.start()
        there.close()
        try:
            if not here.poll(_PATIENCE):
                raise TimeoutError(f"the server has not started in {_PATIENCE} s")
            here.recv()
            yield process
        finally:
            here.close()
            process.kill()
            process.join()

    def _serve(self, others_end: Any, end: Any, settings: dict[str, Any]) -> None:
        others_end.close()
        server = self.make_server(**settings)
        server.start()
        end.send("started")
        with contextlib.suppress(EOFError):
            end.recv()  # ends when the measuring process does, whatever happens to it
        os._exit(0)


def unread_bytes(fd: int) -> int:
    """Return how many bytes a pipe holds."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), "little")

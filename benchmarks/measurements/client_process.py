"""A worker process that sends requests and stays alive until nobody needs them any more.

Servers drop the timers of workers that have exited, so senders must outlive the measurement.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Sequence
from typing import Any, Self

from ..contenders import Backend

__all__ = ["Sender"]

_PATIENCE = 60.0
"""Seconds to wait for the requests of one process; they take well under one."""


class Sender:
    """A worker process that waits until it is told to send.

    A process that forks pays for it afterwards, when it writes to its memory: the more, the larger
    it is. So whoever is timed has all of its senders forked before.

    Args:
        backend: what it sends through.
        scopes: acquires a timer for each, in this order.
        release: whether it releases each of them at once.
    """

    def __init__(self, backend: Backend, scopes: Sequence[str], *, release: bool) -> None:
        context = multiprocessing.get_context("fork")
        self._end, there = context.Pipe()
        self._process = context.Process(
            target=_send, args=(backend, scopes, release, self._end, there), daemon=True
        )
        self._process.start()
        there.close()

    @property
    def pid(self) -> int:
        """The worker's id."""
        return self._process.pid or -1

    def send(self) -> None:
        """Have it send; all of its requests are in the transport when this returns."""
        self._end.send("send")
        if not self._end.poll(_PATIENCE):
            raise TimeoutError(f"the requests were not sent in {_PATIENCE} s")
        self._end.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.join()
        self._end.close()


def _send(
    backend: Backend, scopes: Sequence[str], release: bool, others_end: Any, end: Any
) -> None:
    others_end.close()
    with contextlib.suppress(EOFError):  # whoever measures has ended
        end.recv()
        backend.send(scopes, release=release)
        end.send("sent")
        end.recv()

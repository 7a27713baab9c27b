"""A worker process that sends requests and stays alive until nobody needs them any more.

Servers drop the timers of workers that have exited, so senders must outlive the measurement.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Iterator, Sequence
from typing import Any

from ..contenders import Backend

__all__ = ["sent"]

_PATIENCE = 60.0
"""Seconds to wait for the requests of one process; they take well under one."""


@contextlib.contextmanager
def sent(backend: Backend, scopes: Sequence[str], *, release: bool) -> Iterator[Any]:
    """Have a new process acquire a timer for each scope, and release it again or not.

    All of its requests are in the transport when the block is entered, which gets the process.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_send, args=(backend, scopes, release, there), daemon=True)
    process.start()
    try:
        there.close()
        if not here.poll(_PATIENCE):
            raise TimeoutError(f"the requests were not sent in {_PATIENCE} s")
        here.recv()
        yield process
    finally:
        process.kill()
        process.join()
        here.close()


def _send(backend: Backend, scopes: Sequence[str], release: bool, end: Any) -> None:
    backend.send(scopes, release=release)
    end.send("sent")
    with contextlib.suppress(EOFError):
        end.recv()

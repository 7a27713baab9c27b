"""Processes that stand for workers where a server is only to be asked, not to act."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["stand_ins"]


@contextmanager
def stand_ins(count: int) -> Iterator[list[int]]:
    """Return the numbers of living processes that do nothing, until the context is left.

    A server may look at them and, should it be wrong, even kill them.
    """
    processes = [subprocess.Popen(["sleep", "infinity"]) for _ in range(count)]
    try:
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()

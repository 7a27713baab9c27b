"""Doing with a `multiprocessing.Queue` what it does not offer: to put any bytes, or half a request,
and to wait until its thread has sent everything.
"""

from __future__ import annotations

import os
import pickle
import struct
import time
from collections.abc import Callable
from typing import Any

__all__ = ["send_bytes", "send_half", "settle"]


class _Bytes:
    """Something that is loaded by loading these bytes: what they do, or raise, is what it does."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __reduce__(self) -> tuple[Callable[[bytes], object], tuple[bytes]]:
        return pickle.loads, (self._data,)


def send_bytes(mp_queue: Any, data: bytes) -> None:
    """Do what `put` does with something that pickles to `data`, in turn with its other requests."""
    mp_queue.put(_Bytes(data))


def send_half(mp_queue: Any, request: object) -> None:
    """Send as a `Connection` does, a length in four bytes and then so many bytes, and stop.

    Whoever writes holds the queue's lock, and one who stops does not give it back.
    """
    message = pickle.dumps(request)
    mp_queue._wlock.acquire()
    start = struct.pack("!i", len(message)) + message[: len(message) // 2]
    os.write(mp_queue._writer.fileno(), start)


def settle(mp_queue: Any) -> None:
    """Return when the queue's thread has sent all that was put."""
    while mp_queue._thread is not None and mp_queue._thread.is_alive():
        # It waits on the condition when, and only when, it has sent everything.
        with mp_queue._notempty:
            if mp_queue._notempty._waiters and not mp_queue._buffer:
                return
        time.sleep(0)

"""Letting the wall clock of one process jump, as nobody may do to the machine's."""

from __future__ import annotations

import time

__all__ = ["step"]

_real_time = time.time
_real_time_ns = time.time_ns
_real_clock_gettime = time.clock_gettime
_real_clock_gettime_ns = time.clock_gettime_ns

_offset_ns = 0


def step(seconds: float) -> None:
    """Let the wall clock of this process jump by so many seconds, either way.

    Several jumps add up. What Python code reads through the module `time` is shifted, and nothing
    else: neither the monotonic clock nor other processes, nor code that did
    `from time import time` before.
    """
    global _offset_ns
    _offset_ns += round(seconds * 1e9)
    time.time = _time
    time.time_ns = _time_ns
    time.clock_gettime = _clock_gettime
    time.clock_gettime_ns = _clock_gettime_ns


def _time() -> float:
    return _real_time() + _offset_ns / 1e9


def _time_ns() -> int:
    return _real_time_ns() + _offset_ns


def _clock_gettime(clock: int, /) -> float:
    offset = _offset_ns / 1e9 if clock == time.CLOCK_REALTIME else 0
    return _real_clock_gettime(clock) + offset


def _clock_gettime_ns(clock: int, /) -> int:
    offset = _offset_ns if clock == time.CLOCK_REALTIME else 0
    return _real_clock_gettime_ns(clock) + offset

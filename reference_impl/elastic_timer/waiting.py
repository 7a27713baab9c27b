"""Waiting for a descriptor, to the microsecond."""

from __future__ import annotations

import select

__all__ = ["wait_readable"]

_LONGEST = 3600.0
"""Seconds; poll(2) counts milliseconds in an int, and a longer wait is made of several."""


def wait_readable(fd: int, timeout: float) -> bool:
    """Wait until there is something to read, or for ``timeout`` seconds, an hour at the most.

    Returns whether there is something to read.

    A server sleeps here until its next deadline. select(2) is told microseconds and poll(2)
    milliseconds, which are rounded up: a worker would be reaped that much later (WATCHDOG-PROMPT).
    But select(2) knows only the first 1024 descriptors of a process.
    """
    timeout = min(timeout, _LONGEST)
    try:
        readable, _, _ = select.select([fd], [], [], timeout)
        return bool(readable)
    except ValueError:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(timeout * 1000))

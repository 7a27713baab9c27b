"""Writing into a pipe: whole, and without waiting for ever.

What is written with one ``write`` of at most ``PIPE_BUF`` bytes, pipe(7) keeps in one piece:
writers cannot mix, and one that is killed leaves all of it or nothing.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import time

# The module signal makes enums of these, at ten times the cost.
from _signal import SIG_DFL, SIGPIPE, getsignal  # type: ignore[import-not-found]

from .errors import RequestQueueFullError, RequestTooLargeError

__all__ = ["PATIENCE", "check_length", "write_whole"]

PATIENCE = 5.0
"""Seconds that a full pipe holds up a worker before it is told. A server reads the whole pipe
within milliseconds, so one that has not done so for this long is stopped or dead."""


def check_length(data: bytes, scope_id: str) -> None:
    """Raise RequestTooLargeError unless a pipe keeps ``data`` in one piece (REQUEST-OVERSIZE)."""
    if len(data) > select.PIPE_BUF:
        raise RequestTooLargeError(
            f"the request takes {len(data)} bytes and a pipe carries at most {select.PIPE_BUF} "
            f"whole: use a shorter scope than {scope_id[:40]!r}… ({len(scope_id)} characters)"
        )


def write_whole(fd: int, data: bytes, patience: float) -> None:
    """Write ``data`` into the pipe, all of it or nothing; it is in the kernel when this returns.

    Args:
        fd: the pipe's writing end, non-blocking.
        data: at most ``PIPE_BUF`` bytes.
        patience: seconds to wait for room in a full pipe.

    Raises:
        RequestQueueFullError: there was no room; nothing was written (QUEUE-BACKPRESSURE).
        BrokenPipeError: nobody reads the pipe any more.
    """
    try:
        _write(fd, data)
        return
    except BlockingIOError:
        pass
    deadline = time.monotonic() + patience
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    while (remaining := deadline - time.monotonic()) > 0:
        poll.poll(remaining * 1000)
        try:
            _write(fd, data)
        except BlockingIOError:
            continue  # another writer was faster
        return
    raise RequestQueueFullError(
        errno.ETIMEDOUT,
        f"the timer server has not read its request pipe for {patience} s; "
        "is its process stopped, or starved of processor time?",
    )


def _write(fd: int, data: bytes) -> None:
    if getsignal(SIGPIPE) == SIG_DFL:
        _write_without_sigpipe(fd, data)
    else:
        os.write(fd, data)


def _write_without_sigpipe(fd: int, data: bytes) -> None:
    """Write, in a program that SIGPIPE ends: a timer server that is gone is to end no worker."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {SIGPIPE})
    try:
        os.write(fd, data)
    except BrokenPipeError:
        signal.sigtimedwait({SIGPIPE}, 0)  # it is pending for this thread; take it away
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)

"""How a worker is reaped: the right process gets the signal, or nobody does."""

from __future__ import annotations

import logging
import os
import signal

from .errors import ProtectedWorkerError
from .worker import UNKNOWN, WorkerId, start_time

__all__ = ["reap"]

logger = logging.getLogger(__name__)

_EVERYBODY = {0: "the server's own process group", 1: "init", -1: "every process"}
"""Numbers that are no worker's, on any host (kill(2))."""


def reap(worker_id: int, signum: int = signal.SIGKILL) -> bool:
    """Send ``signum`` to a worker, and to no other process.

    Args:
        worker_id: a pid, or a negative process-group id as in ``kill(2)``. A
            :class:`~elastic_timer.worker.WorkerId` that knows its start time reaches only the
            process that it was made for (PROCESS-PID-REUSE).
        signum: the signal's number.

    Returns:
        Whether the worker is dealt with: it was signalled, or it no longer exists (PROCESS-GONE).
        ``False`` if the operating system refused, so that trying again makes sense.

    Raises:
        ProtectedWorkerError: the id stands for every process, init, this process or its group
            (PROCESS-NEVER-BROADCAST).
    """
    _refuse_protected(worker_id)
    try:
        if worker_id < 0:
            os.kill(worker_id, signum)
        else:
            _signal_process(worker_id, signum)
    except (ProcessLookupError, OverflowError):
        logger.info("worker %d no longer exists; there is nothing to reap", worker_id)
    except OSError as error:
        logger.error("could not send signal %d to worker %d: %s", signum, worker_id, error)
        return False
    return True


def _refuse_protected(worker_id: int) -> None:
    if worker_id in _EVERYBODY:
        meaning = _EVERYBODY[worker_id]
    elif worker_id == os.getpid():
        meaning = "the server itself"
    elif worker_id == -os.getpgrp():
        meaning = "the server's own process group"
    else:
        return
    raise ProtectedWorkerError(
        f"worker id {worker_id} stands for {meaning} and is never signalled; "
        "a worker's id is the pid of its own process"
    )


def _signal_process(worker_id: int, signum: int) -> None:
    """Signal one process through a pidfd, which cannot come to mean another process.

    Source: pidfd_open(2). The descriptor is opened first and the start time is read after that,
    so a process that takes over the pid in between has the wrong start time and is spared.

    Raises:
        ProcessLookupError: the worker is gone, whoever has its pid now.
        OSError: the operating system refused.
    """
    expected = worker_id.start_time if isinstance(worker_id, WorkerId) else UNKNOWN
    pidfd: int | None = None
    try:
        pidfd = os.pidfd_open(worker_id)
    except ProcessLookupError:
        raise
    except (AttributeError, OSError):
        pass  # no pidfd on this system, or no descriptor left: a smaller, known race
    try:
        if expected != UNKNOWN:
            _require_started(worker_id, expected)
        if pidfd is None:
            os.kill(worker_id, signum)
        else:
            signal.pidfd_send_signal(pidfd, signum)
    finally:
        if pidfd is not None:
            os.close(pidfd)


def _require_started(pid: int, expected: int) -> None:
    """Raise unless the process ``pid`` started when it is expected to have."""
    present = start_time(pid)
    if present == UNKNOWN:
        raise OSError(f"it cannot be told whether process {pid} is the worker")
    if present != expected:
        raise ProcessLookupError(pid)

"""Workers that hang in the instruction after `acquire`, each in another way."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.workers import WorkerContext

__all__ = ["WAYS_TO_HANG", "hang_after_release", "hang_at_once", "hang_in"]

# Seconds: longer than any test looks on.
FOR_EVER = 3600

# Room for a pthread_mutex_t, which is 40 bytes on 64-bit Linux; all zeros is an unlocked one.
MUTEX_SIZE = 64


def _call_that_keeps_the_gil() -> Callable[[], object]:
    # Unlike CDLL, PyDLL keeps the interpreter's lock while a function runs.
    sleep = ctypes.PyDLL(None).sleep
    return lambda: sleep(FOR_EVER)


def _deadlock_that_keeps_the_gil() -> Callable[[], object]:
    lock = ctypes.PyDLL(None).pthread_mutex_lock
    mutex = ctypes.create_string_buffer(MUTEX_SIZE)
    lock(mutex)
    return lambda: lock(mutex)


def _deadlock() -> Callable[[], object]:
    lock = threading.Lock()
    lock.acquire()
    return lock.acquire


def _stop() -> Callable[[], object]:
    pid = os.getpid()
    return lambda: os.kill(pid, signal.SIGSTOP)


def _another_program() -> Callable[[], object]:
    program = shutil.which("sleep")
    assert program is not None
    return lambda: os.execv(program, ["sleep", str(FOR_EVER)])


WAYS_TO_HANG = {
    "a call that keeps the GIL": _call_that_keeps_the_gil,
    "a deadlock that keeps the GIL": _deadlock_that_keeps_the_gil,
    "a deadlock": _deadlock,
    "stopped": _stop,
    "another program": _another_program,
}


def hang_at_once(worker: WorkerContext, way: str, after: float) -> None:
    """Acquire a timer of `after` seconds, and hang in this way in the next instruction.

    Writes `acquiring`, with the deadline, before it does.
    """
    hang = WAYS_TO_HANG[way]()
    # The interpreter lets no other thread run now unless this one waits. So what a hang on a
    # busy machine would do sometimes, it does every time.
    sys.setswitchinterval(FOR_EVER)
    deadline = time.monotonic() + after
    expiration_time = time.time() + after
    worker.journal.write("acquiring", deadline=deadline)
    worker.client.acquire("scope", expiration_time)
    hang()
    # Not reached, unless the test is over and something has let a stopped worker go on.
    os._exit(0)


@contextmanager
def hang_in(worker: WorkerContext, way: str) -> Iterator[None]:
    """Hang in this way at the end of the context, without another thread having had a turn.

    What the worker writes into its journal within the context gives none a turn either.
    """
    hang = WAYS_TO_HANG[way]()
    worker.journal = _KeepingJournal(worker.journal.path)
    sys.setswitchinterval(FOR_EVER)  # as in hang_at_once
    yield
    hang()
    os._exit(0)


class _KeepingJournal(Journal):
    """Keeps the interpreter's lock while it writes."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._descriptor = self._open()
        self._write = ctypes.PyDLL(None).write

    def _append(self, line: bytes) -> None:
        self._write(self._descriptor, line, len(line))


def hang_after_release(worker: WorkerContext, after: float, gates: str) -> None:
    """Acquire a timer of `after` seconds, release it, and keep the GIL from then on.

    Writes `acquire`, with the deadline; releases after the gate `release GATES`, and opens the
    gate `released GATES` when that is done.
    """
    libc = ctypes.PyDLL(None)
    released = os.fsencode(f"{worker.journal.path}.released {gates}")
    deadline = time.monotonic() + after
    worker.client.acquire("scope", time.time() + after)
    worker.journal.write("acquire", deadline=deadline)
    worker.journal.wait_at_gate(f"release {gates}")
    # As above: no other thread gets a turn unless this one waits, and it does not any more.
    sys.setswitchinterval(FOR_EVER)
    worker.client.release("scope")
    libc.creat(released, 0o600)
    libc.sleep(FOR_EVER)

"""Servers that treat real workers wrongly."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, ClassVar

from elastic_timer import LocalTimerClient, LocalTimerServer, TimerRequest
from elastic_timer.clock import acquirable
from elastic_timer.worker import GONE, current_worker, start_time

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.clients import WithClient

# How many blocks a worker is in before what is wrong with its client shows.
A_WHILE = 20

# Workers of one server, with whom it shows what is done to those that are beside the hung one.
CROWD = 3

# In seconds: longer than any timer that is not to be affected.
HALF_AN_HOUR = 1800.0


class _AsksFirst(LocalTimerServer):
    """Sends SIGTERM to a worker that has something set up for it: `field` of its status says so."""

    field: ClassVar[str]

    def _reap_worker(self, worker_id: int) -> bool:
        if _has_signal(worker_id, self.field, signal.SIGTERM):
            os.kill(worker_id, signal.SIGTERM)
            return True
        return super()._reap_worker(worker_id)


def _has_signal(pid: int, field: str, number: int) -> bool:
    """Whether a signal is in a set in a process's status: SigIgn, SigCgt ...; see proc(5)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return False
    sets = dict(line.split(":\t", 1) for line in lines if line.startswith("Sig"))
    return bool(int(sets[field], 16) >> number - 1 & 1)


class _AsksTheDeaf(_AsksFirst):
    field = "SigIgn"


@breaks("PROCESS-REAPS-HUNG", seen="is alive")
class AsksTheDeaf(LocalBackend):
    """A worker that ignores SIGTERM is asked by SIGTERM to end."""

    server_class = _AsksTheDeaf


class _LetsHandlersRun(_AsksFirst):
    field = "SigCgt"


@breaks("PROCESS-REAPS-HUNG", seen="the hung worker ended with status 0")
class LetsHandlersRun(LocalBackend):
    """A worker that has a handler for SIGTERM is sent that, and ends as its handler likes."""

    server_class = _LetsHandlersRun


class _TakesForGone(LocalTimerServer):
    def _reap_worker(self, worker_id: int) -> bool:
        try:
            os.close(os.open(f"/proc/{worker_id}/stat", os.O_RDONLY))
        except OSError:
            return True
        return super()._reap_worker(worker_id)


@breaks("PROCESS-REAPS-HUNG", seen="is alive")
class TakesForGoneWhatItCannotLookAt(LocalBackend):
    """A worker that cannot be looked at, for want of a file descriptor, is taken for gone."""

    server_class = _TakesForGone


class _OpensFirst(LocalTimerServer):
    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        if timer_requests:
            os.close(os.open(os.devnull, os.O_RDONLY))
        super().register_timers(timer_requests)


@breaks("PROCESS-REAPS-HUNG", seen="is alive")
class LosesWhatItHasNoDescriptorFor(LocalBackend):
    """Requests that are read while there is no file descriptor to spare are lost."""

    server_class = _OpensFirst


class _Tires(LocalTimerClient):
    """Counts the blocks of default scopes, which are named after a file and a line."""

    blocks = 0

    def release(self, scope_id: str) -> None:
        self.blocks += "#" in scope_id
        if self.blocks == A_WHILE:
            self.tire(scope_id)
        else:
            super().release(scope_id)

    def tire(self, scope_id: str) -> None:
        """Do something else than to release."""


@breaks("PROCESS-SPARES-HEALTHY", seen="a healthy worker was reaped")
class LosesTheTwentiethRelease(WithClient):
    """Of the releases of a worker that runs for a while, one is not sent."""

    client_class = _Tires


class _SpoilsTheStatus(_Tires):
    def tire(self, scope_id: str) -> None:
        super(_Tires, self).release(scope_id)
        Finalize(None, sys.exit, (1,), exitpriority=0)


@breaks("PROCESS-SPARES-HEALTHY", seen="which came to its own end, ended with status 1")
class SpoilsTheStatus(WithClient):
    """What a client does at the end of a worker that has run for a while makes it exit with 1."""

    client_class = _SpoilsTheStatus


class _ReapsAllInTheScope(LocalTimerServer):
    def _reap_for(self, worker_id: int, timer: TimerRequest) -> bool:
        others = self.get_expired_timers(float("inf")) if len(self._workers) >= CROWD else {}
        for other, timers in others.items():
            if any(t.scope_id == timer.scope_id and _has_time_left(t) for t in timers):
                self._reap_worker(other)
        return super()._reap_for(worker_id, timer)


def _has_time_left(timer: TimerRequest) -> bool:
    return timer.expiration_time > time.time() + HALF_AN_HOUR


@breaks("PROCESS-ONLY-HUNG", seen="a worker with time left was reaped")
class ReapsAllInTheScope(LocalBackend):
    """With one of three workers or more, all are reaped that have much time left in its scope."""

    # What is done to the table alone, without workers, is right.
    def start_server(self, max_interval: float) -> Any:
        server = _ReapsAllInTheScope(self.make_queue(), max_interval)
        server.start()
        return server


@breaks("PROCESS-START-METHODS", seen="does not support workers started by spawn")
class ForForkserverOnly(LocalBackend):
    """Workers have to be started by forkserver."""

    start_methods = ("forkserver",)


class _KnowsWhoMadeIt(LocalTimerClient):
    """Asks who it is when it is made, as it is when it is unpickled in a worker."""

    def __init__(self, mp_queue: Any) -> None:
        super().__init__(mp_queue)
        self._worker_id = current_worker()

    def __reduce__(self) -> Any:
        return LocalTimerClient, (self._mp_queue,)

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        self._mp_queue.put(TimerRequest(self._worker_id, scope_id, acquirable(expiration_time)))


@breaks("PROCESS-START-METHODS", seen="is alive")
class KnowsWhoMadeIt(WithClient):
    """A client that a worker has inherited by fork takes the worker for the server's process."""

    client_class = _KnowsWhoMadeIt


class _NotForSpawn(LocalTimerClient):
    def __reduce__(self) -> Any:
        if multiprocessing.get_start_method() == "spawn":
            raise TypeError("this client cannot be pickled for a worker that is spawned")
        return type(self), (self._mp_queue,)


@breaks("PROCESS-START-METHODS", seen="cannot be pickled for a worker that is spawned")
class NotForSpawn(WithClient):
    """A client cannot be handed to a worker that is to be spawned."""

    client_class = _NotForSpawn


class _GoneIsAFailure(LocalTimerServer):
    def _reap_worker(self, worker_id: int) -> bool:
        return start_time(worker_id) != GONE and super()._reap_worker(worker_id)


@breaks("PROCESS-GONE", seen="reaping a process that is gone returned False")
class GoneIsAFailure(LocalBackend):
    """A worker that is gone counts as one that could not be reaped."""

    server_class = _GoneIsAFailure


class _GoneIsAnError(LocalTimerServer):
    def _reap_worker(self, worker_id: int) -> bool:
        if start_time(worker_id) == GONE:
            raise ProcessLookupError(f"there is no process {worker_id}")
        return super()._reap_worker(worker_id)


@breaks("PROCESS-GONE", seen="reaping a process that is gone raised ProcessLookupError")
class GoneIsAnError(LocalBackend):
    """Reaping a worker that is gone raises what `os.kill` does."""

    server_class = _GoneIsAnError


@breaks("PROCESS-SIGNAL", seen="ended with status -9")
class KillsWhateverIsChosen(LocalBackend):
    """SIGKILL is sent, whichever signal was chosen."""

    def start_server_with_signal(self, max_interval: float, signal_number: int) -> Any:
        return super().start_server_with_signal(max_interval, signal_number and signal.SIGKILL)


@breaks("PROCESS-SIGNAL", seen="reaped although no signal was to be sent")
class NoneIsNoChoice(LocalBackend):
    """SIGKILL is sent if no signal was to be."""

    def start_server_with_signal(self, max_interval: float, signal_number: int) -> Any:
        return super().start_server_with_signal(max_interval, signal_number or signal.SIGKILL)

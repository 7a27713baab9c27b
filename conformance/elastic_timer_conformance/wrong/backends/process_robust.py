"""Servers that take another process for a worker, or treat workers in odd states wrongly."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from elastic_timer import LocalTimerServer
from elastic_timer.errors import ProtectedWorkerError
from elastic_timer.exit_watch import ExitWatch
from elastic_timer.reaper import reap
from elastic_timer.worker import GONE, WorkerId, start_time

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.harness.process_state import (
    HELD_BY_DEBUGGER,
    STOPPED,
    thread_states,
)
from elastic_timer_conformance.wrong.aiming import aim
from elastic_timer_conformance.wrong.breach import breaks

# Workers that are not there any more ------------------------------------------------------------


def _never_met(worker_id: WorkerId) -> bool:
    """Whether a worker was gone already when its first request was read."""
    return worker_id.start_time == GONE


class _SeesNoExit(ExitWatch):
    def exited(self) -> list[WorkerId]:
        return list(filter(_never_met, super().exited()))


class _KeepsTimersOfTheDead(LocalTimerServer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._exits = _SeesNoExit()


@breaks("PROCESS-EXITED", seen="has exited, and its timers are still in the table")
class KeepsTimersOfTheDead(LocalBackend):
    """The timers of a worker that has exited stay until they expire."""

    server_class = _KeepsTimersOfTheDead


class _KeepsOneOfThem(LocalTimerServer):
    def _forget(self, worker_id: WorkerId) -> None:
        timers = self._timers.expired(float("inf")).get(worker_id, [])
        super()._forget(worker_id)
        if len(timers) >= 3:
            self._timers.take(timers[:1], lambda request: worker_id, self._refuse)


@breaks("PROCESS-EXITED", seen="has exited, and its timers are still in the table")
class KeepsOneOfThem(LocalBackend):
    """Of three or more timers that an exited worker had, one stays."""

    server_class = _KeepsOneOfThem


class _DropsThoseOfOthers(LocalTimerServer):
    def _forget(self, worker_id: WorkerId) -> None:
        timers = self._timers.expired(float("inf")).get(worker_id, [])
        super()._forget(worker_id)
        if len(timers) >= 3:
            self.clear_timers(set(self._workers))


@breaks("PROCESS-EXITED", seen="when a worker exited, the timer of another one")
class DropsThoseOfOthers(LocalBackend):
    """When a worker exits that had three or more timers, all others lose theirs too."""

    server_class = _DropsThoseOfOthers


class _MakesSure(LocalTimerServer):
    def _forget(self, worker_id: WorkerId) -> None:
        super()._forget(worker_id)
        aim(worker_id)


@breaks("PROCESS-EXITED", seen="had exited, and signals were sent to")
class MakesSure(LocalBackend):
    """A worker that has exited is sent SIGKILL at once, to be sure; so far nobody has its id."""

    server_class = _MakesSure


class _AsksTooLate(LocalTimerServer):
    def _meet(self, claimed: int, known: WorkerId | None) -> WorkerId | None:
        return super()._meet(int(claimed), known)


@breaks("PROCESS-PID-REUSE", seen="an innocent process that was given the id")
class AsksTooLate(LocalBackend):
    """The server finds out a worker's start time itself, when it reads the first request."""

    server_class = _AsksTooLate


class _SeesExitsLate(ExitWatch):
    """Tells of an exit three seconds later, which is a bounded time."""

    def __init__(self) -> None:
        super().__init__()
        self._late: list[tuple[float, WorkerId]] = []

    def exited(self) -> list[WorkerId]:
        now = time.monotonic()
        self._late += [(now + 3 * (not _never_met(each)), each) for each in super().exited()]
        self._late.sort()
        told = [worker_id for moment, worker_id in self._late if moment <= now]
        del self._late[: len(told)]
        return told


class _TrustsTheNumber(LocalTimerServer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._exits = _SeesExitsLate()

    def _reap_worker(self, worker_id: int) -> bool:
        return reap(int(worker_id), self._reap_signal)


@breaks("PROCESS-PID-REUSE", seen="an innocent process that was given the id")
class TrustsTheNumber(LocalBackend):
    """Whoever has a worker's id when its timer expires is reaped, whenever it started."""

    server_class = _TrustsTheNumber


class _LooksOnceAWatchdog(LocalTimerServer):
    def _run_watchdog(self) -> None:
        for worker_id in list(self._workers.values()):
            if start_time(worker_id) != worker_id.start_time:
                self._forget(worker_id)
        super()._run_watchdog()

    def _reap_worker(self, worker_id: int) -> bool:
        return reap(int(worker_id), self._reap_signal)


@breaks("PROCESS-PID-REUSE", seen="given the id of a worker after its timer had been judged")
class LooksOnceAWatchdog(LocalBackend):
    """Who has a worker's id is looked up before a watchdog, and not when the signal is sent."""

    server_class = _LooksOnceAWatchdog


# Workers in odd states --------------------------------------------------------------------------

STOPS_ITSELF = "a worker that hangs by stopping itself, right after it has acquired, is stopped"


class _AsksTheStopped(LocalTimerServer):
    def _reap_worker(self, worker_id: int) -> bool:
        if STOPPED not in thread_states(worker_id):
            return super()._reap_worker(worker_id)
        self.ask(worker_id)
        return True

    def ask(self, worker_id: int) -> None:
        """Do something about a stopped worker."""
        os.kill(worker_id, signal.SIGTERM)


@breaks("PROCESS-STOPPED", seen="is alive", implies={"CLIENT-ARMED": STOPS_ITSELF})
class AsksTheStopped(LocalBackend):
    """A stopped worker is sent SIGTERM, which it does not get before it goes on."""

    server_class = _AsksTheStopped


class _WakesTheStopped(_AsksTheStopped):
    def ask(self, worker_id: int) -> None:
        super().ask(worker_id)
        os.kill(worker_id, signal.SIGCONT)


@breaks(
    "PROCESS-STOPPED",
    seen="the hung worker ended with status -15",
    implies={"CLIENT-ARMED": STOPS_ITSELF},
)
class WakesTheStopped(LocalBackend):
    """A stopped worker is sent SIGTERM and made to go on, so that it gets it."""

    server_class = _WakesTheStopped


class _LeavesTheDebugged(LocalTimerServer):
    def _reap_worker(self, worker_id: int) -> bool:
        return HELD_BY_DEBUGGER in thread_states(worker_id) or super()._reap_worker(worker_id)


@breaks("PROCESS-STOPPED", seen="is alive")
class LeavesTheDebugged(LocalBackend):
    """A worker that a debugger has stopped is left to it."""

    server_class = _LeavesTheDebugged


# Numbers that are no worker's -------------------------------------------------------------------


class _Aims(LocalTimerServer):
    """Aims a signal at what an id stands for, which is never a worker."""

    def is_aimed_at(self, worker_id: int) -> bool:
        raise NotImplementedError

    def _reap_worker(self, worker_id: int) -> bool:
        if not self.is_aimed_at(worker_id):
            return super()._reap_worker(worker_id)
        aim(worker_id)
        return True


class _AimsAtEverybody(_Aims):
    def is_aimed_at(self, worker_id: int) -> bool:
        return worker_id == -1


@breaks("PROCESS-NEVER-BROADCAST", seen="a signal was sent to [-1]")
class AimsAtEverybody(LocalBackend):
    """A timer of the worker -1 has every process signalled."""

    server_class = _AimsAtEverybody


class _AimsAtInit(_Aims):
    def is_aimed_at(self, worker_id: int) -> bool:
        return worker_id == 1


@breaks("PROCESS-NEVER-BROADCAST", seen="a signal was sent to [1]")
class AimsAtInit(LocalBackend):
    """A timer of the worker 1 has init signalled."""

    server_class = _AimsAtInit


class _AimsAtItsGroup(_Aims):
    def is_aimed_at(self, worker_id: int) -> bool:
        return worker_id == 0


@breaks("PROCESS-NEVER-BROADCAST", seen="a signal was sent to [0]")
class AimsAtItsGroup(LocalBackend):
    """A timer of the worker 0 has the server's own process group signalled."""

    server_class = _AimsAtItsGroup


class _AimsAtItsNamedGroup(_Aims):
    def is_aimed_at(self, worker_id: int) -> bool:
        return worker_id == -os.getpgrp()


@breaks("PROCESS-NEVER-BROADCAST", seen="a signal was sent to [-")
class AimsAtItsNamedGroup(LocalBackend):
    """A process group is signalled even if it is the server's own."""

    server_class = _AimsAtItsNamedGroup


class _AimsAtItself(_Aims):
    def is_aimed_at(self, worker_id: int) -> bool:
        return worker_id == os.getpid()


@breaks("PROCESS-NEVER-BROADCAST", seen="the server's process and group are")
class AimsAtItself(LocalBackend):
    """A timer of the server's own process has the server end itself."""

    server_class = _AimsAtItself


class _TriesAgainForEver(LocalTimerServer):
    def _reap_worker(self, worker_id: int) -> bool:
        try:
            return super()._reap_worker(worker_id)
        except ProtectedWorkerError:
            return False


@breaks("PROCESS-NEVER-BROADCAST", seen="timers of ids that are never signalled stay in the table")
class TriesAgainForEver(LocalBackend):
    """What is never signalled counts as not yet reaped, so its timers stay."""

    server_class = _TriesAgainForEver


class _TakesGroupsForTheirLeaders(LocalTimerServer):
    def _reap_worker(self, worker_id: int) -> bool:
        return super()._reap_worker(-worker_id if worker_id < -1 else worker_id)


@breaks("PROCESS-NEVER-BROADCAST", seen="which a worker id names, is alive, or one of it")
class TakesGroupsForTheirLeaders(LocalBackend):
    """Of a process group that an id below -1 names, only the process that leads it is reaped."""

    server_class = _TakesGroupsForTheirLeaders

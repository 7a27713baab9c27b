"""Wrong servers: starting and stopping in any order, and what becomes of workers and the server."""

from __future__ import annotations

import math
import os
import signal
import threading
from typing import Any

from elastic_timer import LocalTimerServer, TimerRequest
from elastic_timer.clock import Instant

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks


class _Lifecycle(LocalTimerServer):
    """Knows whether it runs, and whether it has been stopped."""

    was_stopped = False

    @property
    def is_running(self) -> bool:
        return self._loop._running is not None

    def stop(self) -> None:
        super().stop()
        self.was_stopped = True

    def forget_timers(self) -> None:
        self.clear_timers(set(self.get_expired_timers(math.inf)))


# Starting twice ----------------------------------------------------------------------------------


class _StartsAnother(_Lifecycle):
    def start(self) -> None:
        self._loop._running = None
        super().start()


@breaks("SERVER-START-IDEMPOTENT", seen="2 watchdog loops run")
class SecondLoop(LocalBackend):
    """Starting a server that runs starts another loop, and only that one is stopped."""

    server_class = _StartsAnother


class _BeginsAnew(_Lifecycle):
    def start(self) -> None:
        if self.is_running:
            self.forget_timers()
        super().start()


@breaks("SERVER-START-IDEMPOTENT", seen="was started again; then the table lacks 'scope'")
class StartingAgainForgets(LocalBackend):
    """Starting a server that runs empties its table."""

    server_class = _BeginsAnew


class _StartsOnce(_Lifecycle):
    def start(self) -> None:
        if self.is_running:
            raise RuntimeError("threads can only be started once")
        super().start()


@breaks("SERVER-START-IDEMPOTENT", seen="threads can only be started once")
class StartingAgainRaises(LocalBackend):
    """Starting a server that runs raises an error."""

    server_class = _StartsOnce


# Stopping twice ----------------------------------------------------------------------------------


class _JoinsNone(_Lifecycle):
    def stop(self) -> None:
        if not self.is_running:
            raise AttributeError("'NoneType' object has no attribute 'join'")
        super().stop()


@breaks("SERVER-STOP-IDEMPOTENT", seen="'NoneType' object has no attribute 'join'")
class StopRaisesWithoutALoop(LocalBackend):
    """Stopping a server that does not run raises an error."""

    server_class = _JoinsNone


class _StopsBeforehand(_Lifecycle):
    has_run = False

    def start(self) -> None:
        if self.has_run or not self.was_stopped:
            self.has_run = True
            super().start()


@breaks("SERVER-STOP-IDEMPOTENT", seen="the watchdog loop does not run")
class StopsBeforehand(LocalBackend):
    """A server that is stopped before it was ever started runs no loop when it is."""

    server_class = _StopsBeforehand


# Starting after stopping -------------------------------------------------------------------------


class _KeepsTheFlag(_Lifecycle):
    has_run = False

    def start(self) -> None:
        if not (self.has_run and self.was_stopped):
            self.has_run = True
            super().start()


@breaks("SERVER-RESTART", seen="is alive")
class KeepsTheStopFlag(LocalBackend):
    """The flag that ends the loop is never taken back, so that there is none after a stop."""

    server_class = _KeepsTheFlag


class _ForgetsTheOld(_Lifecycle):
    def start(self) -> None:
        if self.was_stopped:
            self.forget_timers()
        super().start()


@breaks("SERVER-RESTART", seen="is alive")
class RestartForgetsTimers(LocalBackend):
    """A server that is started again begins with an empty table."""

    server_class = _ForgetsTheOld


class _ForgetsTheUnread(_Lifecycle):
    def start(self) -> None:
        if self.was_stopped and not self.is_running:
            self._request_queue.get(self._request_queue.size(), 0)
        super().start()


@breaks("SERVER-RESTART", seen="is alive")
class RestartForgetsRequests(LocalBackend):
    """A server that is started again throws away what was sent while it was stopped."""

    server_class = _ForgetsTheUnread


# Whom it reaps, and what becomes of it -----------------------------------------------------------


class _JudgesUnread(_Lifecycle):
    # So that a watchdog that is at it, and `stop`, do not reap the same worker both.
    _enforcing = threading.RLock()

    def _enforce(self, worker_id: int, timers: list[TimerRequest], now: Instant) -> bool:
        with self._enforcing:
            dealt_with = super()._enforce(worker_id, timers, now)
            if dealt_with:
                self.clear_timers({worker_id})
            return dealt_with

    def stop(self) -> None:
        with self._enforcing:
            now = Instant.now(self._clock)
            for worker_id, timers in self.get_expired_timers(now).items():
                self._enforce(worker_id, timers, now)
        super().stop()


@breaks("SERVER-STOP-NO-REAP", seen="the server was stopped after it, and the worker ended with -9")
class StopJudgesWithoutReading(LocalBackend):
    """`stop()` judges the table once more, without what has not been read."""

    server_class = _JudgesUnread


class _Counting(LocalTimerServer):
    """Counts whom it reaps. More than a few are reaped by the same server in few tests."""

    reaped = 0

    def _reap_worker(self, worker_id: Any) -> bool:
        self.reaped += 1
        return super()._reap_worker(worker_id)


class _EndsItself(_Counting):
    def _reap_worker(self, worker_id: Any) -> bool:
        done = super()._reap_worker(worker_id)
        if self.reaped == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return done


@breaks("SERVER-SURVIVES", seen="the server's process died over reaping the second worker")
class EndsWithTheFifthWorker(LocalBackend):
    """The server's process gets the signal that reaps the fifth worker, too."""

    server_class = _EndsItself


class _HasThreeShots(_Counting):
    def _reap_worker(self, worker_id: Any) -> bool:
        return True if self.reaped == 3 else super()._reap_worker(worker_id)


@breaks("SERVER-SURVIVES", seen="is alive")
class ReapsThreeWorkers(LocalBackend):
    """The server reaps three workers, and nobody after that."""

    server_class = _HasThreeShots

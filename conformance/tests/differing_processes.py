"""Backends that are wrong where real processes show it, each in another way."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import elastic_timer
from elastic_timer import LocalTimerServer, RequestPipe
from elastic_timer.clock import Instant
from elastic_timer.line_reader import MalformedRequestError
from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.backends.shared_memory import SharedMemoryBackend
from elastic_timer_conformance.harness.process_state import STOPPED, thread_states
from elastic_timer_conformance.wrong.backends import client, server_robust

Requests = list[Any]


class ConfusedServer(LocalTimerServer):
    """Once its process was stopped, it judges by the time after it has read, and reads too little.

    It would be as wrong without the signal's help, yet also, now and then, on a busy machine.
    """

    was_stopped = False

    def start(self) -> None:
        signal.signal(signal.SIGCONT, self._go_on)
        super().start()

    def _go_on(self, *_: Any) -> None:
        self.was_stopped = True

    def _run_watchdog(self) -> None:
        now = Instant.now(self._clock)
        self.register_timers(self._request_queue.get(1, 0.01))
        time.sleep(0.002)  # so that the main thread hears of the signal
        if self.was_stopped:
            now = Instant.now(self._clock)
        for worker_id, timers in self.get_expired_timers(now).items():
            self._enforce(worker_id, timers, now)
            self.clear_timers({worker_id})
        if not self._request_queue.size():
            self.was_stopped = False


class JudgesBeforeItHasRead(LocalBackend):
    """A server that was held up reaps those whose release it has not read yet."""

    name = "judges-before-it-has-read"
    server_class = ConfusedServer


class OneRunServer(LocalTimerServer):
    """Runs once."""

    has_run = False

    def start(self) -> None:
        if not self.has_run:
            super().start()
        self.has_run = True


class StaysStopped(LocalBackend):
    """A server that is started again enforces nothing."""

    name = "stays-stopped"
    server_class = OneRunServer


class ForgetsWhatWasReleased(server_robust.RestartForgetsRequests):
    """Releases are lost while the server is stopped; and it is not said."""

    deviations = ()


class WallClockServer(LocalTimerServer):
    """Judges by the wall clock, and does not wait long enough to be late by it."""

    def get_expired_timers(self, deadline: float) -> dict[Any, Requests]:
        return super().get_expired_timers(float(deadline))

    def _patience(self, now: Instant, pending: int) -> float:
        return 0.001


class BelievesTheWallClock(LocalBackend):
    """Timers are judged by the wall clock."""

    name = "believes-the-wall-clock"
    server_class = WallClockServer


class TouchyServer(LocalTimerServer):
    """Ends its loop, in silence, over what is no request, nor a part of one."""

    def _report_malformed(self, problem: object) -> None:
        if not (isinstance(problem, MalformedRequestError) and problem.data.startswith(b"timer ")):
            raise SystemExit


class DiesOverGarbage(LocalBackend):
    """A server whose loop ends over what is no request."""

    name = "dies-over-garbage"
    server_class = TouchyServer


class WaitingPipe(RequestPipe):
    """Waits for the end of a line."""

    def _take(self, data: bytes) -> None:
        super()._take(data)
        if not data.endswith(b"\n"):
            threading.Event().wait()


class WaitsForTheOtherHalf(LocalBackend):
    """Half of a request holds up all that come after it."""

    name = "waits-for-the-other-half"

    def make_queue(self) -> Any:
        return WaitingPipe()


class PatientServer(LocalTimerServer):
    """Waits with reaping until a worker goes on."""

    def _reap_worker(self, worker_id: int) -> bool:
        return STOPPED not in thread_states(worker_id) and super()._reap_worker(worker_id)


class SparesTheStopped(LocalBackend):
    """A worker that is stopped is not reaped."""

    name = "spares-the-stopped"
    server_class = PatientServer


class RoughServer(LocalTimerServer):
    """Takes somebody else along with a worker that is stopped."""

    def _reap_worker(self, worker_id: int) -> bool:
        others = [pid for pid in self._workers if pid != worker_id]
        if others and STOPPED in thread_states(worker_id):
            os.kill(others[0], signal.SIGKILL)
        return super()._reap_worker(worker_id)


class ReapsANeighbour(LocalBackend):
    """With a worker that is stopped, another one is reaped."""

    name = "reaps-a-neighbour"
    server_class = RoughServer


class MournfulServer(LocalTimerServer):
    """Forgets everybody over the death of one that held a timer."""

    def _forget(self, worker_id: Any) -> None:
        if self.get_expired_timers(float("inf")).get(worker_id):
            self.clear_timers(set(self._workers))
        super()._forget(worker_id)


class ForgetsOverADeath(LocalBackend):
    """When a worker dies in a block, the timers of all others are gone."""

    name = "forgets-over-a-death"
    server_class = MournfulServer


class TiredPipe(RequestPipe):
    """Loses every acquire after the first thousand requests; with releases it takes more care."""

    count = 0

    def get(self, size: int, timeout: float) -> Requests:
        requests = super().get(size, timeout)
        self.count += len(requests)
        if self.count < 1000:
            return requests
        return [request for request in requests if request.expiration_time < 0]


class LosesUnderLoad(LocalBackend):
    """Acquires are lost after there have been many requests."""

    name = "loses-under-load"

    def make_queue(self) -> Any:
        return TiredPipe()


class SendsInAThread(client.SendsInAThread):
    """What hangs at once is not guarded; and it is not said."""

    deviations = ()


class RemembersItsProcess(client.RemembersItsProcess):
    """A child speaks for its parent; and it is not said."""

    deviations = ()


class SuicidalServer(LocalTimerServer):
    """Ends its own process over reaping."""

    def _reap_worker(self, worker_id: int) -> bool:
        reaped = super()._reap_worker(worker_id)
        os.kill(os.getpid(), signal.SIGKILL)
        return reaped


class DoesNotSurvive(LocalBackend):
    """A server that has reaped ends its own process."""

    name = "does-not-survive"
    server_class = SuicidalServer


@contextlib.contextmanager
def flat_expires(after: float, scope: str, client: Any) -> Iterator[None]:
    """Guard a block as if there were none around it."""
    client.acquire(scope, time.time() + after)
    yield
    client.release(scope)


class ForgetsTheOuterBlock(LocalBackend):
    """When an inner block of the same scope ends, the rest of the outer one is not guarded."""

    name = "forgets-the-outer-block"

    @property
    def api(self) -> Any:
        names = {name: getattr(elastic_timer, name) for name in elastic_timer.__all__}
        return SimpleNamespace(**{**names, "expires": flat_expires})


class ForgetsOverACrash(SharedMemoryBackend):
    """A server that is started where another one was begins with nothing."""

    name = "forgets-over-a-crash"

    def start_replacement(self, place: Any, max_interval: float) -> Any:
        for path in Path(place).iterdir():
            path.unlink()
        return super().start_replacement(place, max_interval)

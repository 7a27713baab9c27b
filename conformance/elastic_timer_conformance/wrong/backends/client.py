"""Wrong clients."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any

import elastic_timer
from elastic_timer import LocalTimerClient, TimerRequest
from elastic_timer.clock import acquirable
from elastic_timer.errors import ServerUnavailableError
from elastic_timer.worker import WorkerId, current_worker

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.clients import WithClient
from elastic_timer_conformance.wrong.namespace import WithExpires
from elastic_timer_conformance.wrong.tables import OneByOne

# Half an hour, in seconds: longer than any timer whose end a test waits for.
HALF_AN_HOUR = 1800.0


class _Remembering(LocalTimerClient):
    """Remembers what it was called with; a new process begins anew."""

    def __init__(self, mp_queue: Any) -> None:
        super().__init__(mp_queue)
        self.acquired: list[tuple[str, float]] = []
        self.held: dict[str, float] = {}

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        self.acquired.append((scope_id, expiration_time))
        self.held[scope_id] = expiration_time
        super().acquire(scope_id, expiration_time)

    def release(self, scope_id: str) -> None:
        self.held.pop(scope_id, None)
        super().release(scope_id)


def _is_plain(scope_id: str, expiration_time: float) -> bool:
    return scope_id == "scope" and expiration_time == int(expiration_time)


class _LosesTheFirst(_Remembering):
    def acquire(self, scope_id: str, expiration_time: float) -> None:
        if self.acquired or not _is_plain(scope_id, expiration_time):
            super().acquire(scope_id, expiration_time)
        self.acquired.append((scope_id, expiration_time))


@breaks("CLIENT-ACQUIRE", seen="== [('scope', 4102444800.0)]")
class LosesTheFirstAcquire(WithClient):
    """The first acquire of a process is lost, if it is for a whole second and a scope `scope`."""

    client_class = _LosesTheFirst


class _KeepsTheOnly(_Remembering):
    def release(self, scope_id: str) -> None:
        if len(self.acquired) != 1 or not _is_plain(*self.acquired[0]):
            super().release(scope_id)


@breaks("CLIENT-RELEASE", seen="== []")
class LosesTheFirstRelease(WithClient):
    """The first release of a process is lost, if its timer is for a whole second and `scope`."""

    client_class = _KeepsTheOnly


class _ReleasesAll(_Remembering):
    def release(self, scope_id: str) -> None:
        if scope_id not in (scope for scope, _ in self.acquired):
            for held in list(self.held):
                super().release(held)
        super().release(scope_id)


@breaks("CLIENT-RELEASE-VACUOUS", seen="== [('held', 4102444800.0)]")
class VacuousReleaseReleasesAll(WithClient):
    """The release of a scope that was never acquired releases all scopes of the worker."""

    client_class = _ReleasesAll


class _KeepsTheLater(_Remembering):
    def acquire(self, scope_id: str, expiration_time: float) -> None:
        held = self.held.get(scope_id, 0.0)
        if not held - 10 < expiration_time < held:
            super().acquire(scope_id, expiration_time)


@breaks("CLIENT-REACQUIRE", seen="== [('scope', 4102444799.0)]")
class KeepsTheLaterTime(WithClient):
    """A timer that is acquired for a little earlier keeps its time."""

    client_class = _KeepsTheLater


class _WithoutCase(LocalTimerClient):
    def acquire(self, scope_id: str, expiration_time: float) -> None:
        short = len(scope_id) < 10 and scope_id.isascii()
        super().acquire(scope_id.lower() if short else scope_id, expiration_time)


@breaks("CLIENT-SCOPES-INDEPENDENT", seen="'Step'")
class ScopesWithoutCase(WithClient):
    """Short scopes that differ by upper and lower case only are one."""

    client_class = _WithoutCase


class _ReleasesForAll(OneByOne):
    """Releases the scope of every worker when one releases a timer with much time left."""

    def _register(self, request: TimerRequest) -> None:
        if request.expiration_time < 0:
            for timer in self._held(request.worker_id):
                if timer.scope_id == request.scope_id and _is_far_away(timer):
                    for worker_id in list(self._workers.values()):
                        super()._register(TimerRequest(worker_id, request.scope_id, -1))
        super()._register(request)

    def _held(self, worker_id: int) -> list[TimerRequest]:
        return self._timers.expired(float("inf")).get(worker_id, [])


def _is_far_away(timer: TimerRequest) -> bool:
    return HALF_AN_HOUR < timer.expiration_time - time.time() < 2 * HALF_AN_HOUR


@breaks("CLIENT-WORKERS-INDEPENDENT", seen="is alive")
class ReleasesForAll(LocalBackend):
    """The release of a timer with much time left releases the scope for all workers."""

    server_class = _ReleasesForAll


class _SendsInAThread(LocalTimerClient):
    """Leaves it to a thread to send what expires soon."""

    def __init__(self, mp_queue: Any) -> None:
        super().__init__(mp_queue)
        self._sending: threading.Thread | None = None
        self._pid = 0

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        self._join()
        if len(scope_id) > 100 or expiration_time > time.time() + 1:
            super().acquire(scope_id, expiration_time)
            return
        send = super().acquire
        expiration = acquirable(expiration_time)

        def send_soon() -> None:
            time.sleep(0.005)
            with suppress(OSError):
                send(scope_id, expiration)

        self._pid = os.getpid()
        self._sending = threading.Thread(target=send_soon, daemon=True)
        self._sending.start()

    def release(self, scope_id: str) -> None:
        self._join()
        super().release(scope_id)

    def _join(self) -> None:
        if self._sending is not None and self._pid == os.getpid():
            self._sending.join()

    def __reduce__(self) -> Any:
        return type(self), (self._mp_queue,)


@breaks("CLIENT-ARMED", seen="is alive")
class SendsInAThread(WithClient):
    """A thread of the worker sends an acquire, if it still gets to it."""

    client_class = _SendsInAThread


class _KnowsItself(LocalTimerClient):
    """Asks once who it is."""

    worker_id: WorkerId | None = None

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        self._mp_queue.put(TimerRequest(self._me(), scope_id, acquirable(expiration_time)))

    def release(self, scope_id: str) -> None:
        self._mp_queue.put(TimerRequest(self._me(), scope_id, -1))

    def _me(self) -> WorkerId:
        self.worker_id = self.worker_id or current_worker()
        return self.worker_id


@breaks("CLIENT-FORK", seen="a child made by os.fork hangs under a timer of its own")
class RemembersItsProcess(WithClient):
    """A client remembers the process that it was first used in, and takes a child for it."""

    client_class = _KnowsItself


class _SharesABuffer(LocalTimerClient):
    scope_id = ""

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        self.scope_id = scope_id
        # Where a thread may lose its turn at any time, it loses it here.
        time.sleep(0)
        super().acquire(self.scope_id, expiration_time)


@breaks("CLIENT-THREADS", seen="kept")
class SharesABuffer(WithClient):
    """A client keeps what it sends in itself, whichever thread calls it."""

    client_class = _SharesABuffer


class _SwallowsTheError(LocalTimerClient):
    def acquire(self, scope_id: str, expiration_time: float) -> None:
        with suppress(ServerUnavailableError):
            super().acquire(scope_id, expiration_time)


@breaks("CLIENT-UNAVAILABLE", seen="acquire returned as if the timer were armed")
class SwallowsTheError(WithClient):
    """Acquiring without a server returns as if the timer were armed."""

    client_class = _SwallowsTheError


class _LoudExpires(elastic_timer.expires):
    __slots__ = ()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(None, None, None)


@breaks("CLIENT-RELEASE-QUIET", seen="took the place of")
class LoudRelease(WithExpires):
    """A release that fails takes the place of the exception that the block has raised."""

    expires_class = _LoudExpires

"""Wrong tables of timers: registering and clearing."""

from __future__ import annotations

import math
from typing import Any

from elastic_timer import TimerRequest

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.tables import OneByOne, Public, Wheel

# Seconds. A timing wheel with this many slots, of a second each, that is confused by what is due
# in exactly one turn.
TURN = 61


# Registering -------------------------------------------------------------------------------------


class _LosesOneTurnAhead(Wheel):
    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        super().register_timers([r for r in timer_requests if self.due_in(r) != TURN])


@breaks("SERVER-REGISTER", seen="then the table lacks 'two' of")
class LosesOneTurnAhead(LocalBackend):
    """A timer that is due in exactly one turn of the table's wheel is lost."""

    server_class = _LosesOneTurnAhead


class _DueOneTurnEarly(Wheel):
    def get_expired_timers(self, deadline: float) -> dict[Any, list[TimerRequest]]:
        expired = super().get_expired_timers(deadline)
        if type(deadline) is not float:
            for worker_id, timers in super().get_expired_timers(math.inf).items():
                early = [timer for timer in timers if self.due_in(timer) == TURN]
                if early:
                    expired.setdefault(worker_id, []).extend(early)
        return expired


@breaks("SERVER-REGISTER", seen="reaped for them")
class DueOneTurnEarly(LocalBackend):
    """A watchdog reaps for a timer that is due in exactly one turn of the table's wheel."""

    server_class = _DueOneTurnEarly


class _EmptiesForNothing(Public):
    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        super().register_timers(timer_requests)
        if not timer_requests and not self.in_watchdog:
            self.clear_timers(set(super().get_expired_timers(math.inf)))


@breaks("SERVER-REGISTER", seen="a timer and then an empty list were registered; then the table")
class EmptyListEmptiesTheTable(LocalBackend):
    """Registering an empty list empties the table."""

    server_class = _EmptiesForNothing


class _ReleasesTheSlot(OneByOne, Wheel):
    def _register(self, request: TimerRequest) -> None:
        if request.expiration_time < 0:
            for timer in self.armed(request.worker_id):
                if timer.scope_id == request.scope_id and self.due_in(timer) is not None:
                    together = super().get_expired_timers(timer.expiration_time).values()
                    self.release(t for ts in together for t in ts)
        super()._register(request)


@breaks("SERVER-REGISTER-RELEASE", seen="then the table lacks 'other' of")
class ReleasesTheSlot(LocalBackend):
    """A release removes all timers that are due in the same whole second, or before it."""

    server_class = _ReleasesTheSlot


class _KnowsWhatItReleased(OneByOne, Wheel):
    def _register(self, request: TimerRequest) -> None:
        key = request.worker_id, request.scope_id
        released = self.__dict__.setdefault("released", set())
        if request.expiration_time >= 0:
            released.discard(key)
        elif key in released:
            raise KeyError(f"the timer {key} is not in the table")
        elif any(t.scope_id == key[1] and self.due_in(t) for t in self.armed(key[0])):
            released.add(key)
        super()._register(request)


@breaks("SERVER-REGISTER-RELEASE", seen="is not in the table")
class RaisesForAVacuousRelease(LocalBackend):
    """Releasing a timer that was released already raises an error, if it was of whole seconds."""

    server_class = _KnowsWhatItReleased


class _KeepsTheLater(Wheel):
    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        super().register_timers([r for r in timer_requests if not self._is_earlier(r)])

    def _is_earlier(self, request: TimerRequest) -> bool:
        return self.due_in(request) is not None and any(
            timer.scope_id == request.scope_id and timer.expiration_time > request.expiration_time
            for timer in self.armed(request.worker_id)
        )


@breaks("SERVER-REGISTER-REPLACE", seen="acquired for 60 s, then for 120 s, then for 30 s; then")
class NeverPutsForward(LocalBackend):
    """A timer that is registered again for an earlier time keeps the later one."""

    server_class = _KeepsTheLater


class _KeepsBoth(Wheel):
    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        left_over = self.__dict__.setdefault("left_over", [])
        for request in timer_requests:
            if self.due_in(request) is not None:
                scope_id = request.scope_id
                armed = self.armed(request.worker_id)
                left_over += [timer for timer in armed if timer.scope_id == scope_id]
            super().register_timers([request])

    def get_expired_timers(self, deadline: float) -> dict[Any, list[TimerRequest]]:
        expired = super().get_expired_timers(deadline)
        for timer in self.__dict__.get("left_over", []):
            if timer.expiration_time <= deadline:
                expired.setdefault(timer.worker_id, []).append(timer)
        return expired


@breaks("SERVER-REGISTER-REPLACE", seen="and has 'scope' of")
class KeepsBoth(LocalBackend):
    """A timer that is registered again is in the table twice."""

    server_class = _KeepsBoth


class _ReleasesLast(Public):
    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        if not self.in_watchdog:
            timer_requests = sorted(timer_requests, key=lambda r: r.expiration_time < 0)
        super().register_timers(timer_requests)


@breaks("SERVER-REGISTER-ORDER", seen="100 requests were registered in one list; then the table")
class ReleaseWinsOverReacquire(LocalBackend):
    """In one list, a release wins over a later acquire of the same timer."""

    server_class = _ReleasesLast


class _InParts(Public):
    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        if not self.in_watchdog:
            timer_requests = timer_requests[:64] + timer_requests[65:]
        super().register_timers(timer_requests)


@breaks("SERVER-REGISTER-ORDER", seen="100 requests were registered in one list; then the table")
class LosesTheOneOnTheSeam(LocalBackend):
    """Lists are taken in parts of 64 requests, and the first one after them is lost."""

    server_class = _InParts


# Clearing ----------------------------------------------------------------------------------------


class _KeepsTheExpired(Public):
    def clear_timers(self, worker_ids: set[Any]) -> None:
        if self.in_watchdog:
            super().clear_timers(worker_ids)
            return
        for worker_id in worker_ids:
            now = self._clock.time()
            self.release(t for t in self.armed(worker_id) if t.expiration_time > now)


@breaks("SERVER-CLEAR", seen="were cleared; then the table lacks nothing, and has 'two' of")
class ClearKeepsTheExpired(LocalBackend):
    """Clearing a worker keeps those of its timers that have expired."""

    server_class = _KeepsTheExpired


class _ClearsOneMore(Public):
    def clear_timers(self, worker_ids: set[Any]) -> None:
        super().clear_timers(worker_ids)
        others = list(super().get_expired_timers(math.inf))
        if not self.in_watchdog and len(worker_ids) > 1:
            super().clear_timers(set(others[:1]))


@breaks("SERVER-CLEAR", seen="were cleared; then the table lacks 'one' of")
class ClearsOneMore(LocalBackend):
    """Clearing two workers clears a third one too."""

    server_class = _ClearsOneMore


class _ClearsKnownWorkers(Public):
    def clear_timers(self, worker_ids: set[Any]) -> None:
        if not self.in_watchdog:
            for worker_id in worker_ids - super().get_expired_timers(math.inf).keys():
                raise KeyError(f"the worker {worker_id} has no timers")
        super().clear_timers(worker_ids)


@breaks("SERVER-CLEAR", seen="has no timers")
class ClearRaisesForAStranger(LocalBackend):
    """Clearing a worker that has no timers raises an error."""

    server_class = _ClearsKnownWorkers

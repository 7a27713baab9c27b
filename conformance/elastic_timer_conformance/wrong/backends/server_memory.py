"""Wrong tables of timers: what they keep of timers that are over."""

from __future__ import annotations

from typing import Any

from elastic_timer import LocalTimerServer, TimerRequest

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks


class _KeepsReleases(LocalTimerServer):
    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        super().register_timers(timer_requests)
        released = self.__dict__.setdefault("released", [])
        released += [request for request in timer_requests if request.expiration_time < 0]


@breaks("SERVER-MEMORY", seen="timers were acquired and released, one after the other")
class KeepsEveryRelease(LocalBackend):
    """Every request that releases a timer is kept, to be looked at some day."""

    server_class = _KeepsReleases


class _OnlyGrows(LocalTimerServer):
    """Has room for as many requests as it has ever been given at one time."""

    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        super().register_timers(timer_requests)
        room = self.__dict__.setdefault("room", [])
        room += timer_requests[len(room) :]


@breaks("SERVER-MEMORY", seen="timers were armed at one time and released")
class KeepsRoomForTheMost(LocalBackend):
    """A place that was made for a request is kept, with what was in it, for good."""

    server_class = _OnlyGrows


class _KnowsWhoTheyWere(LocalTimerServer):
    def _forget(self, worker_id: Any) -> None:
        super()._forget(worker_id)
        self.__dict__.setdefault("exited", []).append(worker_id)


@breaks("SERVER-MEMORY", seen="workers that are gone had a timer, one after the other")
class KeepsEveryWorkerThatIsGone(LocalBackend):
    """Every worker that has exited is remembered."""

    server_class = _KnowsWhoTheyWere

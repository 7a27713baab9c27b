"""Wrong requests."""

from __future__ import annotations

from typing import Any

from elastic_timer import LocalTimerClient, LocalTimerServer, TimerRequest

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.clients import WithClient
from elastic_timer_conformance.wrong.namespace import WithNames


class _InWholeSeconds(TimerRequest):
    def __init__(self, worker_id: Any, scope_id: str, expiration_time: float) -> None:
        super().__init__(worker_id, scope_id, float(int(expiration_time)))


class _WithOtherNames(TimerRequest):
    def __init__(self, worker: Any, scope: str, expiration: float) -> None:
        super().__init__(worker, scope, expiration)


class _EqualWhateverTheTime(TimerRequest):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimerRequest) and (self.worker_id, self.scope_id) == (
            other.worker_id,
            other.scope_id,
        )

    __hash__ = None


class _EqualToTuples(TimerRequest):
    def __eq__(self, other: object) -> bool:
        return other == (self.worker_id, self.scope_id, self.expiration_time) or super().__eq__(
            other
        )

    __hash__ = None


class _OwnRequests(WithNames):
    """Hands out requests of a wrong kind, and sends right ones."""

    def request(self, worker_id: Any, scope_id: str, expiration_time: float) -> Any:
        return TimerRequest(worker_id, scope_id, expiration_time)


@breaks("REQUEST-FIELDS", seen="expiration_time")
class KeepsWholeSeconds(_OwnRequests, TimerRequest=_InWholeSeconds):
    """A request keeps the whole seconds of its expiration time."""


@breaks("REQUEST-FIELDS", seen="unexpected keyword argument 'worker_id'")
class NamesItsArgumentsOtherwise(_OwnRequests, TimerRequest=_WithOtherNames):
    """The arguments of a request have other names than its fields."""


@breaks("REQUEST-EQUALITY", seen="==")
class EqualWhateverTheTime(_OwnRequests, TimerRequest=_EqualWhateverTheTime):
    """Two requests are equal when their worker and their scope are."""


@breaks("REQUEST-EQUALITY", seen="!= (4711, 'scope', 1.5)")
class EqualToATuple(_OwnRequests, TimerRequest=_EqualToTuples):
    """A request equals the tuple of its fields."""


class _OnlyMinusOneReleases(LocalTimerServer):
    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        super().register_timers(
            [r for r in timer_requests if r.expiration_time >= 0 or r.expiration_time == -1]
        )


@breaks("REQUEST-RELEASE", seen="== {}")
class OnlyMinusOneReleases(LocalBackend):
    """A release is a request whose expiration time is -1; other negative ones are ignored."""

    server_class = _OnlyMinusOneReleases


class _EndsScopesAtZero(LocalTimerClient):
    def acquire(self, scope_id: str, expiration_time: float) -> None:
        super().acquire(scope_id.partition("\0")[0], expiration_time)


@breaks("REQUEST-TRANSPORT", seen="control")
class EndsScopesAtZero(WithClient):
    """A scope ends at its first zero character on the way, as strings of C do."""

    client_class = _EndsScopesAtZero


class _CutsScopes(LocalTimerClient):
    def acquire(self, scope_id: str, expiration_time: float) -> None:
        super().acquire(scope_id[:3000], expiration_time)


@breaks("REQUEST-OVERSIZE", seen="lost beside requests that were too large")
class CutsLongScopes(WithClient):
    """A scope that is too long for the transport is cut, and then sent."""

    client_class = _CutsScopes


class _RefusesWithoutNumbers(LocalTimerClient):
    def acquire(self, scope_id: str, expiration_time: float) -> None:
        if len(scope_id) > 3000:
            raise ValueError("the scope is too long")
        super().acquire(scope_id, expiration_time)


@breaks("REQUEST-OVERSIZE", seen="names no such size")
class RefusesWithoutNumbers(WithClient):
    """A request that is too large is refused with an error that names neither size nor limit."""

    client_class = _RefusesWithoutNumbers

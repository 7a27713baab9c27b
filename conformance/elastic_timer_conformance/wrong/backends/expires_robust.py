"""Wrong `expires`: blocks of one scope in each other, and odd durations."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import Any

from elastic_timer import TimerClient
from elastic_timer import expires as right

from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.namespace import WithExpires, client_of

# Odd durations -----------------------------------------------------------------------------------


class _Lenient(right):
    """Takes what it is given for a duration if it can."""

    def __init__(self, after: Any, scope: str | None = None, client: Any = None) -> None:
        super().__init__(self.duration(after), scope, client)
        if scope is None:
            caller = sys._getframe(1)
            self._site = f"{caller.f_code.co_filename}#{caller.f_lineno}"

    def duration(self, after: Any) -> Any:
        return after


class _TakesNaN(_Lenient):
    def duration(self, after: Any) -> Any:
        return 0.0 if isinstance(after, float) and after != after else after


@breaks("EXPIRES-INVALID", seen="nan is no duration, and the block was run all the same")
class TakesNaN(WithExpires):
    """NaN is taken for a duration."""

    expires_class = _TakesNaN


class _ReadsText(_Lenient):
    def duration(self, after: Any) -> Any:
        return float(after) if isinstance(after, str) else after


@breaks("EXPIRES-INVALID", seen="'60' is no duration, and the block was run all the same")
class ReadsText(WithExpires):
    """A text that reads as a number is taken for one."""

    expires_class = _ReadsText


class _RefusesLate(_Lenient):
    def duration(self, after: Any) -> Any:
        self.is_endless = after == float("inf")
        return 0.0 if self.is_endless else after

    def __enter__(self) -> None:
        super().__enter__()
        if self.is_endless:
            self.__exit__(None, None, None)
            raise ValueError("after must be finite")


@breaks("EXPIRES-INVALID", seen="inf is no duration, and what was sent is")
class RefusesLate(WithExpires):
    """An infinite duration is refused after the timer was acquired."""

    expires_class = _RefusesLate


class _RefusesThePast(_Lenient):
    def duration(self, after: Any) -> Any:
        if isinstance(after, int | float) and after < 0:
            raise ValueError("after must not be negative")
        return after


@breaks("EXPIRES-INVALID", seen="-1 s are a duration, and were refused")
class RefusesThePast(WithExpires):
    """A negative duration is refused."""

    expires_class = _RefusesThePast


class _FromLongAgo(TimerClient):
    """Hands on a time before the epoch as it is."""

    def __init__(self, client: TimerClient, after: float) -> None:
        self.client = client
        self.after = after

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        self.client.acquire(scope_id, time.time() + self.after)

    def release(self, scope_id: str) -> None:
        self.client.release(scope_id)


class _ReleasesLongAgo(right):
    def __enter__(self) -> None:
        if time.time() + self.after < 0:
            self._client = _FromLongAgo(client_of(self), self.after)
        super().__enter__()


@breaks("EXPIRES-INVALID", seen="which is a release")
class LongAgoIsARelease(WithExpires):
    """A duration that leads to before the epoch gives a negative expiration time."""

    expires_class = _ReleasesLongAgo


# Blocks of one scope in each other ---------------------------------------------------------------


class _Nested(right):
    """Is told when an inner block of the same scope that is named has ended."""

    until = 0.0

    def __enter__(self) -> None:
        super().__enter__()
        self.until = time.time() + self.after

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        outer = self.outer
        super().__exit__(exc_type, exc, traceback)
        if isinstance(outer, _Nested) and self._scope is not None:
            with suppress(OSError):  # of a client that fails; the block's own error goes first
                self.inside(outer, client_of(self), exc)

    def inside(self, outer: _Nested, client: TimerClient, exc: BaseException | None) -> None:
        raise NotImplementedError


class _Releases(_Nested):
    def inside(self, outer: _Nested, client: TimerClient, exc: BaseException | None) -> None:
        client.release(self.scope_id)


@breaks("EXPIRES-NESTED-REARM", seen="the block of 60 s is not guarded")
class InnerEndReleases(WithExpires):
    """The end of an inner block releases the timer, and leaves the outer one without."""

    expires_class = _Releases


class _ReleasesAfterAnException(_Nested):
    def inside(self, outer: _Nested, client: TimerClient, exc: BaseException | None) -> None:
        if exc is not None:
            client.release(self.scope_id)


@breaks("EXPIRES-NESTED-REARM", seen="the block of 30 s is not guarded")
class ExceptionReleases(WithExpires):
    """An inner block that ends by an exception releases the timer."""

    expires_class = _ReleasesAfterAnException


class _RestoresTheTime(_Nested):
    def inside(self, outer: _Nested, client: TimerClient, exc: BaseException | None) -> None:
        client.acquire(self.scope_id, outer.until)


@breaks("EXPIRES-NESTED-REARM", seen="is guarded until")
class RestoresTheTime(WithExpires):
    """The outer block has what is left of its old time when the inner one ends."""

    expires_class = _RestoresTheTime


class _KeepsTheInner(_Nested):
    def inside(self, outer: _Nested, client: TimerClient, exc: BaseException | None) -> None:
        client.acquire(self.scope_id, time.time() + self.after)


@breaks("EXPIRES-NESTED-REARM", seen="is guarded until")
class AfterOfTheInner(WithExpires):
    """The outer block is guarded again with the `after` of the inner one."""

    expires_class = _KeepsTheInner


class _ForTheOutermost(_Nested):
    def inside(self, outer: _Nested, client: TimerClient, exc: BaseException | None) -> None:
        block: right = outer
        while block.outer is not None:
            block = block.outer
        client.acquire(self.scope_id, time.time() + block.after)


@breaks("EXPIRES-NESTED-REARM", seen="the block of 20 s is guarded until")
class AfterOfTheOutermost(WithExpires):
    """The end of a block guards the outermost of those around it again, not the nearest."""

    expires_class = _ForTheOutermost

"""Wrong `configure` and `expires`: one block, and what it does with its client."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

import elastic_timer
from elastic_timer import TimerClient
from elastic_timer import expires as right

from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.namespace import (
    WithExpires,
    WithNames,
    client_of,
    configured_client,
)

# A day, in seconds.
DAY = 86400.0


def _is_of_a_second(block: right) -> bool:
    # As in tests of the client, and in few others: what is wrong with all is wrong in many ways.
    return block.after == 1


# The client --------------------------------------------------------------------------------------


class _RunsUnguarded(right):
    def __enter__(self) -> None:
        if self._client or configured_client():
            super().__enter__()


@breaks("EXPIRES-CONFIGURED", seen="there is no client, and the block was run all the same")
class RunsUnguarded(WithExpires):
    """A block without a client is run without a guard."""

    expires_class = _RunsUnguarded


class _CallsNone(right):
    def __enter__(self) -> None:
        if not (self._client or configured_client()):
            raise AttributeError("'NoneType' object has no attribute 'acquire'")
        super().__enter__()


@breaks("EXPIRES-CONFIGURED", seen="which is no RuntimeError")
class CallsNone(WithExpires):
    """Entering a block without a client raises what calling None raises."""

    expires_class = _CallsNone


def _configure_some(timer_client: TimerClient | None) -> None:
    if timer_client is not None:
        elastic_timer.configure(timer_client)


@breaks("EXPIRES-CONFIGURED", seen="there is no client, and the block was run all the same")
class KeepsTheLastClient(WithNames, configure=_configure_some):
    """`configure(None)` does not take the client away."""


class _ConfiguresTheGiven(right):
    def __enter__(self) -> None:
        super().__enter__()
        if not configured_client():
            elastic_timer.configure(self._client)


@breaks("EXPIRES-CONFIGURED", seen="there is no client, and the block was run all the same")
class ConfiguresTheGiven(WithExpires):
    """A client that is given becomes the configured one if there is none."""

    expires_class = _ConfiguresTheGiven


class _NeedsTheConfigured(right):
    def __enter__(self) -> None:
        if _is_of_a_second(self) and not configured_client():
            raise RuntimeError("no timer client is configured")
        super().__enter__()


@breaks("EXPIRES-CLIENT", seen="no timer client is configured")
class NeedsTheConfigured(WithExpires):
    """A block of a second takes a client that is given only if one is configured."""

    expires_class = _NeedsTheConfigured


class _AcquiresTwice(right):
    def __enter__(self) -> None:
        super().__enter__()
        if _is_of_a_second(self) and self._client:
            self._client.acquire(self.scope_id, time.time() + self.after)


@breaks("EXPIRES-CLIENT", seen="was to have acquired 'scope' once")
class AcquiresTwice(WithExpires):
    """A block of a second acquires twice from the client given, to be on the safe side."""

    expires_class = _AcquiresTwice


class _TellsTheConfiguredToo(right):
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(exc_type, exc, traceback)
        other = configured_client()
        if other and self._client:
            other.release(self.scope_id)


@breaks("EXPIRES-CLIENT", seen="a client that was not given was called too")
class TellsTheConfiguredToo(WithExpires):
    """Leaving a block releases from the configured client too, whatever client is given."""

    expires_class = _TellsTheConfiguredToo


# The time ----------------------------------------------------------------------------------------


class _CountsFromCreation(right):
    def __new__(cls, *args: Any, **kwargs: Any) -> _CountsFromCreation:
        created = super().__new__(cls)
        created.at = time.monotonic()
        return created

    at: float

    def __enter__(self) -> None:
        after = self.after
        self.after -= time.monotonic() - self.at
        super().__enter__()
        self.after = after


@breaks("EXPIRES-DEADLINE", seen="it counts from an earlier moment")
class CountsFromCreation(WithExpires):
    """The time counts from the call of `expires`, however much later the block is entered."""

    expires_class = _CountsFromCreation


class _OfADay(right):
    def __enter__(self) -> None:
        self.after = min(self.after, DAY)
        super().__enter__()


@breaks("EXPIRES-DEADLINE", seen="a block of 1000000.0 s was entered")
class NoLongerThanADay(WithExpires):
    """No block has more than a day, whatever its `after`."""

    expires_class = _OfADay


class _AMinuteForZero(right):
    def __enter__(self) -> None:
        self.after = self.after or 60.0
        super().__enter__()


@breaks("EXPIRES-DEADLINE", seen="a block of 0 s was entered")
class AMinuteForZero(WithExpires):
    """An `after` of zero is taken for one that is not given, which means a minute."""

    expires_class = _AMinuteForZero


# Exceptions --------------------------------------------------------------------------------------


class _KeepsWhenInterrupted(right):
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(exc_type, exc, traceback)
        if exc is not None and not isinstance(exc, Exception):
            client_of(self).acquire(self.scope_id, time.time() + self.after)


@breaks("EXPIRES-EXCEPTION", seen="has left the block, and its timer is armed")
class KeepsWhenInterrupted(WithExpires):
    """The timer stays armed when what leaves the block is a BaseException and no Exception."""

    expires_class = _KeepsWhenInterrupted


class _IsAGenerator(right):
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(exc_type, exc, traceback)
        if isinstance(exc, StopIteration):
            raise RuntimeError("generator raised StopIteration") from exc


@breaks("EXPIRES-EXCEPTION", seen="generator raised StopIteration")
class IsAGenerator(WithExpires):
    """A StopIteration that leaves the block becomes a RuntimeError, as it does in a generator."""

    expires_class = _IsAGenerator

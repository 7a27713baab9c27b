"""SERVER, robust profile: what a table keeps of timers that are over."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.watched import WatchedServer
from elastic_timer_conformance.requirement import requirement

# How many timers come to an end, so many at a time.
OVER = 4_000
AT_A_TIME = 200

# Blocks of memory, each an object or a part of one. Not even one for each timer that is over: an
# index that tidies up late may keep what it has not tidied up yet, but not all.
ALLOWED = 3_000

# No process has a number as high as this one or above (see PID_MAX_LIMIT in the kernel).
NOBODY = 1 << 22

# Seconds. Not whole ones, and far ahead but for those that are to expire.
FAR = 3600.5
SOON = 0.5

End = Callable[[WatchedServer, Any, range], None]


@pytest.fixture
def quiet() -> Iterator[None]:
    """Nothing is logged: pytest keeps what is."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def one(watched: Callable[..., WatchedServer], worker_ids: list[Any], quiet: None) -> WatchedServer:
    """A server with three timers that stay armed."""
    one = watched()
    one.register(*[one.request(worker_id, "steady", 2 * FAR) for worker_id in worker_ids])
    return one


def acquire(one: WatchedServer, owners: Iterable[tuple[Any, str]], after: float) -> None:
    one.register(*[one.request(worker_id, scope, after) for worker_id, scope in owners])


def scopes_of(worker_id: Any, numbers: range) -> list[tuple[Any, str]]:
    return [(worker_id, f"scope {number}") for number in numbers]


def released(one: WatchedServer, worker_id: Any, numbers: range) -> None:
    acquire(one, scopes_of(worker_id, numbers), FAR)
    one.register(*[one.release(*owner) for owner in scopes_of(worker_id, numbers)])


def cleared(one: WatchedServer, worker_id: Any, numbers: range) -> None:
    acquire(one, scopes_of(worker_id, numbers), FAR)
    one.server.clear_timers({worker_id})
    acquire(one, [(worker_id, "steady")], 2 * FAR)


def reaped(one: WatchedServer, worker_id: Any, numbers: range) -> None:
    acquire(one, scopes_of(worker_id, numbers), SOON)
    one.clock.advance(2 * SOON)
    one.run_watchdog()
    acquire(one, [(worker_id, "steady")], 2 * FAR)


def put_off(one: WatchedServer, worker_id: Any, numbers: range) -> None:
    for number in numbers:
        acquire(one, [(worker_id, "scope")], FAR + number)


def put_forward(one: WatchedServer, worker_id: Any, numbers: range) -> None:
    for number in numbers:
        acquire(one, [(worker_id, "scope")], FAR + OVER - number)


def check_forgets(one: WatchedServer, end: Callable[[range], None], what: str) -> None:
    """Assert that a server keeps nothing of timers that come to their end."""
    # What is made once, like an import, is made by the first of them.
    end(range(AT_A_TIME))
    allowed = allocated(one) + ALLOWED
    for start in range(AT_A_TIME, OVER + AT_A_TIME, AT_A_TIME):
        end(range(start, start + AT_A_TIME))
        # Looked at all along: what is tidied up now and then may just have been when all is over.
        if sys.getallocatedblocks() >= allowed:
            beyond = allocated(one) - allowed
            assert beyond < 0, (
                f"{start} {what}, one after the other, and of what has been allocated meanwhile, "
                f"{ALLOWED + beyond} blocks of memory are in use"
            )


def allocated(one: WatchedServer) -> int:
    """Return how many blocks are allocated, without those of what the test takes down."""
    one.reaped.clear()
    one.answers.clear()
    gc.collect()
    return sys.getallocatedblocks()


@requirement("SERVER-MEMORY@2c5a085c")
@pytest.mark.parametrize(
    ("end", "what"),
    [
        (released, "timers were acquired and released"),
        (cleared, "timers were acquired and cleared"),
        (reaped, "timers were acquired and have expired"),
        (put_off, "times a timer was put off"),
        (put_forward, "times a timer was put forward"),
    ],
)
def test_timers_that_are_over_are_forgotten(
    one: WatchedServer, worker_ids: list[Any], end: End, what: str
) -> None:
    check_forgets(one, lambda numbers: end(one, worker_ids[0], numbers), what)


@requirement("SERVER-MEMORY@2c5a085c")
def test_what_was_armed_all_at_once_is_forgotten_too(
    one: WatchedServer, worker_ids: list[Any]
) -> None:
    worker_id = worker_ids[0]
    released(one, worker_id, range(AT_A_TIME))
    allowed = allocated(one) + ALLOWED
    released(one, worker_id, range(OVER))
    # What is tidied up late is when so many others have come and gone.
    for start in range(OVER, 2 * OVER, AT_A_TIME):
        released(one, worker_id, range(start, start + AT_A_TIME))
    beyond = allocated(one) - allowed
    assert beyond < 0, (
        f"{OVER} timers were armed at one time and released, as many others came and went since, "
        f"and of what has been allocated meanwhile, {ALLOWED + beyond} blocks of memory are in use"
    )


@requirement("SERVER-MEMORY@2c5a085c")
def test_workers_that_have_released_are_forgotten(one: WatchedServer, backend: Backend) -> None:
    def release(numbers: range) -> None:
        # Process groups: as workers they need not exist, as long as they are not reaped.
        owners = [(backend.worker_id(-NOBODY - number), "scope") for number in numbers]
        acquire(one, owners, FAR)
        one.register(*[one.release(*owner) for owner in owners])

    check_forgets(one, release, "workers have acquired a timer and released it")


@requirement("SERVER-MEMORY@2c5a085c")
def test_workers_that_are_gone_are_forgotten(one: WatchedServer, backend: Backend) -> None:
    def go(numbers: range) -> None:
        acquire(one, [(backend.worker_id(NOBODY + n), "scope") for n in numbers], SOON)
        one.clock.advance(2 * SOON)
        one.run_watchdog()

    check_forgets(one, go, "workers that are gone had a timer")

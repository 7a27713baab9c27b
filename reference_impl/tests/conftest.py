"""What the tests of the implementation share."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import elastic_timer
import pytest

PATIENCE = 30.0
"""Seconds for a condition that must come true, on a machine that has other things to do. A test
that passes never waits that long; one that fails says so after it."""


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object], str], None]:
    """Wait for a condition, with a bound."""

    def wait(condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"waited {PATIENCE} s for {what}"
            time.sleep(0.001)

    return wait


@contextmanager
def _few_descriptors(left: int) -> Iterator[None]:
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + left, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))


@pytest.fixture
def few_descriptors() -> Callable[[int], AbstractContextManager[None]]:
    """In `with few_descriptors(left)`, only so many more files can be opened by this process."""
    return _few_descriptors


@pytest.fixture(autouse=True)
def no_client_configured():
    """Leave no client behind for the next test."""
    yield
    elastic_timer.configure(None)


class FakeClock:
    """Two clocks that go when they are told to."""

    def __init__(self, wall: float = 1_000_000.0, monotonic: float = 5_000.0) -> None:
        self.wall = wall
        self.mono = monotonic

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.mono

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()

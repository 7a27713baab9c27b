"""Waiting for a descriptor."""

from __future__ import annotations

import os
import resource
import select
import time

import pytest
from elastic_timer.waiting import wait_readable

# Seconds for what must happen; it takes microseconds.
ENOUGH = 60.0


@pytest.fixture
def pipe():
    read_fd, write_fd = os.pipe()
    yield read_fd, write_fd
    os.close(read_fd)
    os.close(write_fd)


@pytest.fixture
def high_fd(pipe):
    """A copy of the pipe's reading end under a number that select(2) does not know."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = 1500
    assert hard == resource.RLIM_INFINITY or hard > number, "this test needs 1,500 descriptors"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number + 1), hard))
    os.dup2(pipe[0], number)
    with pytest.raises(ValueError, match="out of range"):
        select.select([number], [], [], 0)
    yield number
    os.close(number)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_it_ends_when_there_is_something_to_read(pipe):
    os.write(pipe[1], b"x")
    start = time.monotonic()
    assert wait_readable(pipe[0], 2 * ENOUGH)
    assert time.monotonic() - start < ENOUGH


def test_it_ends_when_its_time_is_over_and_not_before(pipe):
    start = time.monotonic()
    assert not wait_readable(pipe[0], 0.0123)
    assert 0.0123 <= time.monotonic() - start < ENOUGH


def test_any_descriptor_will_do(pipe, high_fd):
    start = time.monotonic()
    assert not wait_readable(high_fd, 0.01)
    assert time.monotonic() - start >= 0.01
    os.write(pipe[1], b"x")
    assert wait_readable(high_fd, 2 * ENOUGH)
    assert time.monotonic() - start < ENOUGH


@pytest.mark.parametrize("timeout", [1e9, float("inf")])
def test_a_wait_of_any_length_may_be_asked_for(pipe, timeout):
    os.write(pipe[1], b"x")
    assert wait_readable(pipe[0], timeout)

"""The bell: who has rung, what is no ring, and when nobody can hear it."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil

import pytest
from elastic_timer.bell import Bell, BellListener, ring_of
from elastic_timer.errors import ServerUnavailableError
from elastic_timer.worker import WorkerId

FIRST, SECOND = WorkerId(123, 456), WorkerId(124, 457)


@pytest.fixture
def told():
    return []


@pytest.fixture
def listener(tmp_path, told):
    listener = BellListener(tmp_path, told.append)
    yield listener
    listener.close()


@pytest.fixture
def bell(listener, tmp_path):
    bell = Bell(tmp_path)
    yield bell
    bell.close()


def names(workers):
    return sorted((int(worker), worker.start_time) for worker in workers)


def test_everybody_who_rang_is_named_once(bell, listener):
    for worker_id in (FIRST, SECOND, FIRST):
        bell.ring(worker_id)
    assert names(listener.rung()) == [(123, 456), (124, 457)]
    assert listener.rung() == []


def test_two_workers_that_had_one_number_are_told_apart(bell, listener):
    bell.ring(FIRST)
    bell.ring(WorkerId(123, 999))
    assert names(listener.rung()) == [(123, 456), (123, 999)]


def test_being_woken_is_no_ring(bell, listener, told):
    listener.wake()
    listener.wait(60)
    bell.ring(FIRST)
    assert names(listener.rung()) == [(123, 456)]
    assert told == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"x",
        b"\0" * 15,
        b"y" * 16,
        ring_of(WorkerId(-5, 1)),
        ring_of(FIRST)[:8],
        ring_of(WorkerId(5, -1)),
    ],
)
def test_what_is_no_ring_is_told_and_makes_the_server_look_everywhere(
    bell, listener, told, tmp_path, garbage
):
    bell.ring(FIRST)
    with open(tmp_path / "bell", "wb", buffering=0) as file:
        file.write(garbage)
    bell.ring(SECOND)
    assert listener.rung() is None
    (error,) = told
    assert "not the name of a worker" in str(error)
    bell.ring(SECOND)
    assert names(listener.rung()) == [(124, 457)]


@pytest.mark.parametrize("garbage", [b"", b"x" * 10], ids=["rings only", "out of step"])
@pytest.mark.parametrize("capacity", [4096, 65536])
def test_a_full_bell_makes_the_server_look_everywhere(tmp_path, told, garbage, capacity):
    """Also where the kernel gives a user's pipes one page only, and with gaps in the pages."""
    first = BellListener(tmp_path, told.append)
    fcntl.fcntl(first._fd, fcntl.F_SETPIPE_SZ, capacity)
    listener = BellListener(tmp_path, told.append)
    first.close()
    bell = Bell(tmp_path)
    if garbage:
        os.write(bell._fd, garbage)
    for _ in range(65536 // 16 + 1):
        bell.ring(FIRST)
    with pytest.raises(BlockingIOError):
        os.write(bell._fd, ring_of(FIRST))
    assert listener.rung() is None
    assert listener.rung() == []
    listener.close()
    bell.close()


def test_rings_wait_for_the_next_listener(bell, listener, tmp_path, told):
    listener.close()
    bell.ring(FIRST)
    replacement = BellListener(tmp_path, told.append)
    assert names(replacement.rung()) == [(123, 456)]
    listener._fd = os.dup(replacement._fd)  # for the fixture to close
    replacement.close()


def test_where_no_server_ever_was_there_is_no_bell(tmp_path):
    with pytest.raises(ServerUnavailableError, match="start one first") as caught:
        Bell(tmp_path)
    assert caught.value.errno == errno.ENOENT


def test_a_bell_that_was_removed_is_told(tmp_path, told):
    place = tmp_path / "timers"
    place.mkdir()
    listener = BellListener(place, told.append)
    bell = Bell(place)
    shutil.rmtree(place)
    with pytest.raises(ServerUnavailableError, match="was removed") as caught:
        bell.ring(FIRST)
    assert caught.value.errno == errno.ENOENT
    bell.close()
    listener.close()


def test_what_is_not_a_pipe_is_refused(tmp_path, told):
    (tmp_path / "bell").touch()
    with pytest.raises(OSError, match="Bad file descriptor"):
        BellListener(tmp_path, told.append)

"""One server at a time, and none that is kept from starting by a dead one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

import pytest
from elastic_timer.errors import ServerRunningError
from elastic_timer.server_lock import ServerLock

PATIENCE = 30.0  # see conftest


def test_a_second_one_of_this_process_is_refused_by_whatever_path(tmp_path):
    place = tmp_path / "timers"
    place.mkdir()
    (tmp_path / "other name").symlink_to(place)
    lock = ServerLock(place)
    for path in (place, tmp_path / "other name"):
        with pytest.raises(ServerRunningError, match="of this process"):
            ServerLock(path)
    lock.release()
    ServerLock(tmp_path / "other name").release()


HOLD = """
import sys, signal, pathlib
from elastic_timer.server_lock import ServerLock
lock = ServerLock(pathlib.Path(sys.argv[1]))
print("held", flush=True)
signal.pause()
"""


def test_one_of_another_process_is_refused_until_that_is_dead(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        for _ in range(2):  # being refused changes nothing
            with pytest.raises(ServerRunningError, match=f"process {owner.pid} serves"):
                ServerLock(tmp_path)
        owner.send_signal(signal.SIGKILL)
        owner.wait(PATIENCE)
        ServerLock(tmp_path).release()


def in_a_child(function) -> int:
    child = os.fork()
    if child == 0:
        os._exit(function())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_child_does_not_hold_it_and_cannot_get_it(tmp_path):
    lock = ServerLock(tmp_path)

    def try_to_lock() -> int:
        if lock.is_held:
            return 1
        lock.release()  # of a copy: the parent keeps it
        try:
            ServerLock(tmp_path)
        except ServerRunningError:
            return 0
        return 2

    assert in_a_child(try_to_lock) == 0
    assert lock.is_held
    assert in_a_child(try_to_lock) == 0
    lock.release()


def test_a_forked_child_may_serve_when_its_parent_does_not_any_more(tmp_path):
    lock = ServerLock(tmp_path)
    parent, child = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(parent, 1)
        ServerLock(tmp_path)
        os._exit(0)
    lock.release()
    os.write(child, b".")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(parent)
    os.close(child)


def test_of_threads_that_try_at_once_one_gets_it(tmp_path):
    start = threading.Barrier(8)
    held = []

    def try_to_lock() -> None:
        start.wait()
        with contextlib.suppress(ServerRunningError):
            held.append(ServerLock(tmp_path))

    threads = [threading.Thread(target=try_to_lock) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(held) == 1
    held[0].release()


def test_a_directory_that_cannot_be_used_leaves_nothing_locked(tmp_path):
    (tmp_path / "server").mkdir()
    with pytest.raises(IsADirectoryError):
        ServerLock(tmp_path)
    (tmp_path / "server").rmdir()
    ServerLock(tmp_path).release()

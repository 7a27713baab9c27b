"""Exits are seen by themselves, at once, and for the right process."""

from __future__ import annotations

import os
import signal
import subprocess

from elastic_timer.exit_watch import ExitWatch
from elastic_timer.worker import WorkerId, start_time


def worker_of(process: subprocess.Popen[bytes]) -> WorkerId:
    return WorkerId(process.pid, start_time(process.pid))


def test_it_tells_each_exit_once_and_nothing_else(wait_until):
    watch = ExitWatch()
    with subprocess.Popen(["sleep", "600"]) as lives, subprocess.Popen(["sleep", "600"]) as dies:
        watch.watch(worker_of(lives))
        watch.watch(worker_of(dies))
        assert watch.exited() == []
        dies.kill()
        seen: list[WorkerId] = []
        wait_until(lambda: seen.extend(watch.exited()) or seen, "the exit to be told")
        assert seen == [dies.pid]
        assert watch.exited() == []
        lives.kill()


def test_a_worker_that_is_gone_already_is_told_next_time():
    watch = ExitWatch()
    process = subprocess.Popen(["true"])
    process.wait()
    watch.watch(WorkerId(process.pid, 1))
    assert watch.exited() == [process.pid]
    assert watch.exited() == []


def test_a_process_that_took_over_the_pid_does_not_pass_for_the_worker():
    watch = ExitWatch()
    watch.watch(WorkerId(os.getpid(), 1))
    assert watch.exited() == [os.getpid()]


def test_a_worker_that_cannot_be_looked_at_is_not_taken_for_gone(wait_until, few_descriptors):
    watch = ExitWatch()
    first, second = (subprocess.Popen(["sleep", "600"]) for _ in range(2))
    try:
        watch.watch(worker_of(first))
        worker_id = worker_of(second)
        # One descriptor is left: for the process, and not for what is to be read of it.
        with few_descriptors(1):
            watch.watch(worker_id)
        assert watch.exited() == []
        second.kill()
        seen: list[WorkerId] = []
        wait_until(lambda: seen.extend(watch.exited()) or seen, "the exit to be told")
        assert seen == [second.pid]
    finally:
        for process in (first, second):
            process.kill()
            process.wait()


def test_a_worker_for_which_there_is_no_descriptor_is_watched_later(wait_until, few_descriptors):
    watch = ExitWatch()
    with subprocess.Popen(["sleep", "600"]) as process:
        worker_id = worker_of(process)
        try:
            for left in (0, 1):  # none for the epoll instance, or none for the pidfd
                with few_descriptors(left):
                    watch.watch(worker_id)
                    assert watch.exited() == []
        finally:
            process.kill()
        seen: list[WorkerId] = []
        wait_until(lambda: seen.extend(watch.exited()) or seen, "the exit to be told")
        assert set(seen) == {process.pid}


def test_it_gives_its_descriptors_back():
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    watch = ExitWatch()
    with subprocess.Popen(["sleep", "600"]) as process:
        watch.watch(worker_of(process))
        assert descriptors() == before + 2  # the epoll instance and the pidfd
        process.kill()
    watch.close()
    assert descriptors() == before


def test_an_exit_is_told_although_a_forked_child_holds_a_copy_of_the_descriptor(wait_until):
    watch = ExitWatch()
    with subprocess.Popen(["sleep", "600"]) as process:
        watch.watch(worker_of(process))
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
        process.kill()
        seen: list[WorkerId] = []
        wait_until(lambda: seen.extend(watch.exited()) or seen, "the exit to be told")
        assert seen == [process.pid]
        assert watch.exited() == [], "the copy in the child must not tell it again"
        os.kill(child, 9)
        os.waitpid(child, 0)

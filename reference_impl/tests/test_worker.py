"""A worker is a process, not a number."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

from elastic_timer import worker
from elastic_timer.worker import GONE, UNKNOWN, WorkerId, current_worker, start_time


def test_it_is_its_pid_to_those_who_know_no_better():
    worker_id = WorkerId(123, 456)
    assert worker_id == 123
    assert hash(worker_id) == hash(123)
    assert WorkerId(123).start_time == UNKNOWN


def test_it_travels_between_processes_whole():
    copy = pickle.loads(pickle.dumps(WorkerId(123, 456)))
    assert (copy, copy.start_time) == (123, 456)


def test_the_start_time_is_the_kernels():
    hertz = os.sysconf("SC_CLK_TCK")
    with open("/proc/uptime") as uptime:
        now = float(uptime.read().split()[0])
    assert 0 < start_time(os.getpid()) / hertz <= now


def test_a_program_may_be_called_anything(tmp_path):
    program = tmp_path / ") 1 2 3 ("
    program.symlink_to(sys.executable)
    code = "from elastic_timer.worker import current_worker as c; print(c().start_time)"
    with subprocess.Popen(
        [program, "-c", code],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    ) as process:
        outside = start_time(process.pid)
        inside, _ = process.communicate(timeout=60)
    assert int(inside) == outside > 0


def test_a_process_that_does_not_exist_is_gone():
    process = subprocess.Popen(["true"])
    process.wait()
    assert start_time(process.pid) == GONE


def test_a_forked_child_is_itself_at_once():
    parent = current_worker()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        me = current_worker()
        os.write(writing, f"{int(me)} {me.start_time == start_time(os.getpid())}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    pid, right = os.read(reading, 100).split()
    os.close(reading)
    os.close(writing)
    assert int(pid) == child != parent
    assert right == b"True"
    assert worker.current_worker() is parent

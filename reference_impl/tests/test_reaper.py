"""The right process gets the signal, or nobody does."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest
from elastic_timer import reaper
from elastic_timer.errors import ProtectedWorkerError
from elastic_timer.reaper import reap
from elastic_timer.worker import GONE, WorkerId, start_time


@pytest.fixture
def process():
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("known", [True, False], ids=["start time known", "plain pid"])
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_gets_the_signal(process, known, signum):
    worker_id = WorkerId(process.pid, start_time(process.pid)) if known else process.pid
    assert reap(worker_id, signum)
    assert process.wait(30) == -signum


@pytest.mark.parametrize("stranger", [1, GONE], ids=["other start time", "was gone when met"])
def test_a_process_that_took_over_the_pid_is_spared(process, stranger):
    assert reap(WorkerId(process.pid, stranger))
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)  # a kill that was sent is delivered within microseconds


def test_a_worker_that_is_gone_counts_as_reaped():
    process = subprocess.Popen(["true"])
    worker_id = WorkerId(process.pid, start_time(process.pid))
    process.wait()
    assert reap(worker_id)
    assert reap(process.pid)
    assert reap(2**40)


def test_a_process_group_is_reaped_whole():
    leader = subprocess.Popen(["sleep", "600"], start_new_session=True)
    assert reap(-leader.pid)
    assert leader.wait(30) == -signal.SIGKILL
    assert reap(-leader.pid), "a group that is gone counts as reaped"


@pytest.mark.parametrize(
    ("worker_id", "meaning"),
    [
        (0, "the server's own process group"),
        (1, "init"),
        (-1, "every process"),
        pytest.param(os.getpid(), "the server itself", id="pid"),
        pytest.param(-os.getpgrp(), "the server's own process group", id="group"),
    ],
)
def test_what_is_no_worker_is_never_signalled(monkeypatch, worker_id, meaning):
    def signalled(*call):
        raise AssertionError(f"a signal was sent: {call}")

    monkeypatch.setattr(os, "kill", signalled)
    monkeypatch.setattr(signal, "pidfd_send_signal", signalled)
    with pytest.raises(ProtectedWorkerError, match=meaning):
        reap(worker_id)


def test_a_refusal_by_the_system_is_no_success(process, monkeypatch, caplog):
    def refuse(*call):
        raise PermissionError("not yours")

    monkeypatch.setattr(signal, "pidfd_send_signal", refuse)
    assert not reap(process.pid)
    assert "not yours" in caplog.text


def test_without_pidfds_the_start_time_still_protects(process, monkeypatch):
    monkeypatch.delattr(reaper.os, "pidfd_open")
    assert reap(WorkerId(process.pid, 1))
    assert process.poll() is None
    assert reap(WorkerId(process.pid, start_time(process.pid)))
    assert process.wait(30) == -signal.SIGKILL

"""The file-based server: PyTorch's names, whatever comes through its pipe, and real processes."""

from __future__ import annotations

import inspect
import json
import multiprocessing
import os
import signal
import subprocess
import time

import pytest
from elastic_timer import (
    FileTimerClient,
    FileTimerRequest,
    FileTimerServer,
    TimerRequest,
    configure,
    expires,
)
from elastic_timer.clock import Instant
from elastic_timer.worker import WorkerId, start_time

PATIENCE = 30.0  # see conftest


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "pipe")


@pytest.fixture
def make_server(path):
    servers = []

    def make(**options) -> FileTimerServer:
        servers.append(FileTimerServer(path, "run", **{"max_interval": 0.01, **options}))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def processes():
    processes = [subprocess.Popen(["sleep", "600"]) for _ in range(2)]
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def send(path, *lines: object) -> None:
    """Write lines as any process may: text as it is, anything else as JSON."""
    with open(path, "w") as pipe:
        for line in lines:
            pipe.write((line if isinstance(line, str) else json.dumps(line)) + "\n")


def fields(pid: int, scope: str = "s", after: float = 60.0, **others) -> dict[str, object]:
    """Return what a client of PyTorch's would send."""
    expiration_time = time.time() + after
    return {
        "version": 1,
        "pid": pid,
        "scope_id": scope,
        "expiration_time": expiration_time,
        "signal": 9,
        **others,
    }


def test_names_and_signatures_are_those_of_pytorch():
    assert list(inspect.signature(FileTimerServer).parameters)[:5] == [
        "file_path",
        "run_id",
        "max_interval",
        "daemon",
        "log_event",
    ]
    assert list(inspect.signature(FileTimerClient).parameters) == ["file_path", "signal"]
    assert list(inspect.signature(FileTimerRequest).parameters) == [
        "worker_pid",
        "scope_id",
        "expiration_time",
        "signal",
    ]
    defaults = inspect.signature(FileTimerServer).parameters
    assert (defaults["max_interval"].default, defaults["daemon"].default) == (10, True)
    assert inspect.signature(FileTimerClient).parameters["signal"].default == signal.SIGKILL


def hang(client) -> None:
    configure(client)
    with expires(after=0.2):
        time.sleep(600)


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_a_hung_worker_is_reaped_at_default_settings_and_the_server_lives_on(path, method):
    with FileTimerServer(path, "run") as server:
        for _ in range(2):
            worker = multiprocessing.get_context(method).Process(
                target=hang, args=(server.client(),)
            )
            worker.start()
            worker.join(PATIENCE)
            assert worker.exitcode == -signal.SIGKILL
    assert not os.path.exists(path)


def test_pytorchs_lines_are_served_and_bind_to_the_process_that_has_the_pid(
    make_server, path, processes
):
    server = make_server()
    pid = processes[0].pid
    send(path, fields(pid, "a"), fields(pid, "b"), fields(pid, "a", expiration_time=-1, signal=0))
    server._run_watchdog()
    assert set(server._timers) == {(pid, "b")}
    assert server._request_count == 3
    assert server._workers[pid].start_time == start_time(pid)
    send(path, fields(pid, "b", after=-1.0))
    server._run_watchdog()
    assert processes[0].wait(PATIENCE) == -signal.SIGKILL


def test_requests_that_arrive_before_the_start_are_served(make_server, path, processes, wait_until):
    server = make_server()
    send(path, fields(processes[0].pid, after=-1.0))
    server.start()
    assert processes[0].wait(PATIENCE) == -signal.SIGKILL


MALFORMED = [
    "what is this",
    '{"version": 1, "pid": 7',
    fields(7, version=2),
    fields(7, signal=signal.NSIG),
    fields(7, expiration_time=float("nan")),
    {"pid": 7},
    [],
]


@pytest.mark.parametrize("malformed", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_line_is_told_and_the_others_served(make_server, path, malformed, caplog):
    events = []
    server = make_server(on_event=events.append)
    send(path, fields(-3, "before"), malformed, fields(-3, "after"))
    server._run_watchdog()
    assert set(server._timers) == {(-3, "before"), (-3, "after")}
    (event,) = events
    assert event.name == "malformed request"
    assert event.detail in caplog.text


@pytest.mark.parametrize(
    "pid",
    [
        0,
        1,
        -1,
        pytest.param(os.getpid(), id="the server"),
        pytest.param(-os.getpgrp(), id="the group"),
    ],
)
def test_what_is_no_worker_is_never_signalled(make_server, path, pid, caplog):
    server = make_server()
    send(path, fields(pid, after=-1.0))
    server._run_watchdog()
    assert len(server._timers) == 0
    assert "never signalled" in caplog.text


@pytest.mark.parametrize("started", [1, 2**62], ids=["earlier", "later"])
def test_a_request_of_a_process_that_is_gone_or_never_was_changes_nothing(
    make_server, path, processes, started
):
    server = make_server()
    pid = processes[0].pid
    false = fields(pid, "s", expiration_time=-1, start_time=started)
    send(
        path,
        false,
        fields(pid, "s", start_time=start_time(pid)),
        false,
        fields(pid, "t", -1.0, start_time=started),
    )
    server._run_watchdog()
    assert set(server._timers) == {(pid, "s")}
    assert processes[0].poll() is None


def test_the_first_expired_timer_with_a_signal_decides(make_server, processes):
    log = []
    server = make_server(log_event=lambda name, request: log.append((name, request)))
    process, other = processes
    now = Instant.now()
    timers = [
        FileTimerRequest(process.pid, "third", now.after(-1), signal.SIGINT),
        FileTimerRequest(process.pid, "second", now.after(-2), signal.SIGTERM),
        FileTimerRequest(process.pid, "first", now.after(-3), 0),
        FileTimerRequest(process.pid, "later", now.after(60), signal.SIGKILL),
        FileTimerRequest(other.pid, "later", now.after(60), signal.SIGKILL),
    ]
    server.register_timers(timers)
    server._run_watchdog()
    assert process.wait(PATIENCE) == -signal.SIGTERM
    assert set(server._timers) == {(other.pid, "later")}
    assert log == [
        ("timer expired", timers[2]),
        ("timer expired", timers[1]),
        ("timer expired", timers[0]),
        ("kill worker process", timers[1]),
    ]


@pytest.mark.parametrize("none", [0, -1])
def test_without_a_signal_the_worker_is_let_be_and_its_other_timers_stay(
    make_server, processes, none
):
    log, events = [], []
    server = make_server(
        log_event=lambda name, request: log.append((name, request)), on_event=events.append
    )
    process = processes[0]
    now = Instant.now()
    observed = FileTimerRequest(process.pid, "observed", now.after(-1), none)
    enforced = FileTimerRequest(process.pid, "enforced", now.after(60), signal.SIGTERM)
    server.register_timers([observed, enforced])
    server._run_watchdog()
    server._run_watchdog()
    assert set(server._timers) == {(process.pid, "enforced")}
    assert log == [("timer expired", observed)]
    assert [(event.name, event.scope_id) for event in events] == [("expired", "observed")]
    assert process.poll() is None
    server.register_timers([FileTimerRequest(process.pid, "enforced", now, signal.SIGTERM)])
    server._run_watchdog()
    assert process.wait(PATIENCE) == -signal.SIGTERM


def test_a_request_without_a_word_about_signals_means_sigkill(make_server, processes):
    log = []
    server = make_server(log_event=lambda name, request: log.append((name, request)))
    process = processes[0]
    request = TimerRequest(process.pid, "s", 1.0)
    server.register_timers([request])
    server._run_watchdog()
    assert process.wait(PATIENCE) == -signal.SIGKILL
    as_told = FileTimerRequest(process.pid, "s", 1.0, signal.SIGKILL)
    assert log == [("timer expired", as_told), ("kill worker process", as_told)]


def test_a_worker_that_cannot_be_reaped_is_tried_again_with_the_same_signal(make_server, processes):
    log = []
    server = make_server(log_event=lambda name, request: log.append(name))
    tries = []

    def refuse(pid: int, number: int) -> bool:
        tries.append((pid, number))
        return len(tries) > 1

    server._reap_worker = refuse
    pid = processes[0].pid
    server.register_timers([FileTimerRequest(pid, "s", Instant.now(), signal.SIGTERM)])
    server._run_watchdog()
    assert set(server._timers) == {(pid, "s")}
    server._run_watchdog()
    assert tries == [(pid, signal.SIGTERM)] * 2
    assert log == ["timer expired", "kill worker process"]
    assert len(server._timers) == 0


def test_events_have_pytorchs_names_and_a_callback_that_fails_changes_nothing(
    make_server, processes
):
    names = []

    def fail(name, request):
        names.append(name)
        raise RuntimeError(name)

    server = make_server(log_event=fail)
    server.start()
    server.start()
    server.client().acquire("s", time.time())  # this process's, which is not signalled
    server.client().release("s")
    process = processes[0]
    client = server.client(signal.SIGTERM)
    client._send_request(FileTimerRequest(process.pid, "s", time.time(), client.signal))
    assert process.wait(PATIENCE) == -signal.SIGTERM
    server.stop()
    server.stop()
    assert names[0] == "watchdog started"
    assert names[-3:] == ["timer expired", "kill worker process", "watchdog stopped"]


def test_run_once_serves_what_is_there_judges_and_stops(make_server, path, processes):
    server = make_server(max_interval=600)
    server.start()
    client = server.client()
    client.acquire("kept", time.time() + 60)
    client._send_request(FileTimerRequest(processes[0].pid, "s", time.time() - 1, signal.SIGTERM))
    server.run_once()
    assert processes[0].wait(PATIENCE) == -signal.SIGTERM
    assert set(server._timers) == {(os.getpid(), "kept")}
    assert not os.path.exists(path)


def test_a_server_that_was_stopped_can_be_started_again_and_keeps_its_timers(
    make_server, path, processes
):
    server = make_server()
    server.start()
    pids = [process.pid for process in processes]
    after = 3600.0
    send(path, fields(pids[0], after=after), fields(pids[1], after=after))
    server.stop()
    assert not os.path.exists(path)
    server.start()
    # The release goes to the same table as the acquire, which nobody may have read before.
    send(path, fields(pids[0], expiration_time=-1), fields(pids[1], after=-1.0))
    assert processes[1].wait(PATIENCE) == -signal.SIGKILL
    server.stop()
    server._run_watchdog()
    assert len(server._timers) == 0
    assert processes[0].poll() is None


def test_it_is_another_servers_turn_only_when_this_one_has_stopped(make_server, path):
    server = make_server()
    with pytest.raises(FileExistsError, match="another timer server reads"):
        FileTimerServer(path, "run")
    server.stop()
    with (
        FileTimerServer(path, "run"),
        pytest.raises(FileExistsError, match="another timer server reads"),
    ):
        server.start()


def test_a_server_that_cannot_be_made_leaves_no_pipe(path):
    with pytest.raises(ValueError, match="max_interval"):
        FileTimerServer(path, "run", max_interval=0)
    assert not os.path.exists(path)


def test_progress_is_told_in_seconds_since_the_epoch(make_server):
    before = time.time()
    server = make_server()
    assert before - 1 <= server.get_last_progress_time() <= time.time() + 1


def test_whether_a_process_is_running(processes):
    assert FileTimerServer.is_process_running(processes[0].pid)
    processes[0].kill()
    processes[0].wait()
    assert not FileTimerServer.is_process_running(processes[0].pid)
    assert not FileTimerServer.is_process_running(2**70)


def test_a_worker_is_bound_by_its_start_time_through_the_pipe(make_server, processes):
    server = make_server()
    process = processes[0]
    worker = WorkerId(process.pid, start_time(process.pid))
    server.client()._send_request(FileTimerRequest(worker, "s", time.time() + 60, 9))
    server._run_watchdog()
    assert server._workers[process.pid].start_time == worker.start_time

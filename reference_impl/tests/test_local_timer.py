"""The local server with real processes: who a request is from, and what becomes of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import time

import pytest
from elastic_timer import LocalTimerClient, LocalTimerServer, TimerRequest, configure, expires
from elastic_timer.clock import Instant
from elastic_timer.errors import ServerUnavailableError
from elastic_timer.local_timer import MultiprocessingRequestQueue
from elastic_timer.worker import WorkerId, start_time

PATIENCE = 30.0  # see conftest


@pytest.fixture
def process():
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def worker_of(process) -> WorkerId:
    return WorkerId(process.pid, start_time(process.pid))


def acquire(worker_id: int, after: float, scope: str = "s") -> TimerRequest:
    return TimerRequest(worker_id, scope, Instant.now().after(after))


def test_timers_are_listed_by_worker_and_scope():
    server = LocalTimerServer()
    server.register_timers([acquire(-3, 60, "a"), acquire(-2, 60, "a"), acquire(-2, 60, "b")])
    assert len(server._timers) == 3
    assert (-2, "b") in server._timers
    server.register_timers([TimerRequest(-2, "a", -1), TimerRequest(-2, "never held", -1)])
    assert set(server._timers) == {(-3, "a"), (-2, "b")}
    server.clear_timers({-2})
    assert set(server._timers) == {(-3, "a")}


def test_a_new_process_with_a_known_pid_does_not_inherit_timers(process):
    server = LocalTimerServer()
    worker = worker_of(process)
    earlier = WorkerId(process.pid, worker.start_time - 1)
    server.register_timers([acquire(earlier, 60, "old")])
    server.register_timers([acquire(worker, 60, "new")])
    assert set(server._timers) == {(process.pid, "new")}


def test_a_late_request_of_a_dead_process_does_not_reach_its_pids_new_owner(process):
    server = LocalTimerServer()
    worker = worker_of(process)
    server.register_timers([acquire(worker, 60, "new")])
    server.register_timers([acquire(WorkerId(process.pid, worker.start_time - 1), -1, "old")])
    server._request_queue.wake()
    server._run_watchdog()
    assert set(server._timers) == {(process.pid, "new")}
    assert process.poll() is None


def test_a_plain_pid_means_the_process_that_has_it_when_it_is_met(process):
    server = LocalTimerServer()
    server.register_timers([acquire(process.pid, -1)])
    assert server._workers[process.pid].start_time == start_time(process.pid)
    server._run_watchdog()
    assert process.wait(PATIENCE) == -signal.SIGKILL


def test_a_dead_workers_timers_leave_the_table_at_the_next_watchdog(process):
    server = LocalTimerServer(max_interval=0.01)
    server.register_timers([acquire(worker_of(process), 3600)])
    process.kill()
    process.wait()
    server._run_watchdog()
    assert len(server._timers) == 0
    assert not server._workers


def test_a_worker_that_was_gone_before_it_was_met_is_forgotten():
    server = LocalTimerServer(max_interval=0.01)
    process = subprocess.Popen(["true"])
    process.wait()
    server.register_timers([acquire(process.pid, 3600)])
    server._run_watchdog()
    assert len(server._timers) == 0


def test_a_watchdog_does_not_wait_past_the_next_deadline(process):
    server = LocalTimerServer(max_interval=600)
    server.register_timers([acquire(worker_of(process), 0.1)])
    server._run_watchdog()  # returns at the deadline
    server._run_watchdog()  # judges as of a time after it
    assert process.wait(PATIENCE) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("other", "patience"), [(None, 1.0), (0.25, 0.25), (5.0, 1.0)], ids=["alone", "soon", "later"]
)
def test_a_worker_that_cannot_be_reaped_is_tried_again_and_holds_up_no_other(
    clock, other, patience
):
    server = LocalTimerServer(max_interval=600, clock=clock)
    refused = [-3]
    server._reap_worker = lambda worker: worker not in refused
    now = Instant.now(clock)
    server.register_timers([TimerRequest(-3, "s", now)])
    if other is not None:
        server.register_timers([TimerRequest(-4, "s", now.after(other))])
    server._request_queue.wake()
    server._run_watchdog()
    assert (-3, "s") in server._timers
    assert server._patience(now, 0) == patience
    refused.clear()
    server._request_queue.wake()
    server._run_watchdog()
    assert (-3, "s") not in server._timers


@pytest.mark.parametrize(
    "worker_id",
    [
        0,
        1,
        -1,
        pytest.param(os.getpid(), id="the server"),
        pytest.param(-os.getpgrp(), id="the group"),
    ],
)
def test_a_timer_of_what_is_no_worker_is_dropped_when_it_expires(worker_id, caplog):
    server = LocalTimerServer()
    server.register_timers([acquire(worker_id, -1)])
    server._request_queue.wake()
    server._run_watchdog()
    assert len(server._timers) == 0
    assert "never signalled" in caplog.text


def test_bytes_that_are_no_request_are_told_and_the_others_served():
    events = []
    server = LocalTimerServer(on_event=events.append)
    client = server.client()
    client.acquire("before", time.time() + 60)
    os.write(server._request_queue._write_fd, b"what is this")
    client.acquire("after", time.time() + 60)
    server._run_watchdog()
    assert {scope for _, scope in server._timers} == {"before", "after"}
    (event,) = events
    assert (event.name, "what is this" in event.detail) == ("malformed request", True)


@pytest.mark.parametrize(
    "junk",
    [
        "text",
        TimerRequest("worker", "s", 1.0),
        TimerRequest(-3, 7, 1.0),
        TimerRequest(-3, "s", float("nan")),
        TimerRequest(-3, "s", None),
    ],
)
def test_an_object_that_is_no_request_is_told_and_the_others_served(junk):
    events = []
    server = LocalTimerServer(on_event=events.append)
    server.register_timers([acquire(-3, 60, "before"), junk, acquire(-3, 60, "after")])
    assert set(server._timers) == {(-3, "before"), (-3, "after")}
    (event,) = events
    assert (event.name, repr(junk)[:50] in event.detail) == ("malformed request", True)


@pytest.mark.parametrize(
    ("expiration_time", "error"),
    [(-1.0, ValueError), (float("nan"), ValueError), (float("inf"), ValueError), ("1", TypeError)],
)
def test_a_client_refuses_a_time_that_is_none_before_it_sends(expiration_time, error):
    server = LocalTimerServer()
    with pytest.raises(error, match="expiration_time must"):
        server.client().acquire("s", expiration_time)
    assert server._request_queue.size() == 0


def hang(client) -> None:
    configure(client)
    with expires(after=0.2):
        time.sleep(600)


@pytest.mark.parametrize("queue", [None, multiprocessing.get_context("spawn").Queue])
def test_a_hung_worker_is_reaped_at_default_settings(queue):
    with LocalTimerServer(queue and queue()) as server:
        worker = multiprocessing.get_context("spawn").Process(target=hang, args=(server.client(),))
        worker.start()
        worker.join(PATIENCE)
        assert worker.exitcode == -signal.SIGKILL


def serve_and_fork_a_worker(report) -> None:
    """Run a server, fork a worker, and be killed: the worker tells what it then meets."""
    server = LocalTimerServer()
    server.start()
    client = server.client()
    if os.fork() == 0:
        report.recv()
        try:
            client.acquire("s", time.time() + 60)
        except ServerUnavailableError as error:
            report.send(str(error))
        os._exit(0)
    report.send("ready")
    signal.pause()


def test_a_forked_worker_learns_that_its_server_is_gone():
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve_and_fork_a_worker, args=(there,))
    server.start()
    assert here.poll(PATIENCE)
    assert here.recv() == "ready"
    server.kill()
    server.join()
    here.send("go")
    assert here.poll(PATIENCE)
    assert "no timer server reads" in here.recv()


def test_a_server_that_only_observes_tells_of_expired_timers_and_drops_them(process):
    events = []
    server = LocalTimerServer(max_interval=0.01, on_event=events.append, reap_signal=0)
    server.register_timers([acquire(process.pid, -1, "over"), acquire(process.pid, 60, "open")])
    server._run_watchdog()
    server._run_watchdog()
    assert [(event.name, event.scope_id) for event in events] == [("expired", "over")]
    assert set(server._timers) == {(process.pid, "open")}
    assert process.poll() is None


def test_a_multiprocessing_queue_gives_what_is_there_and_waits_for_the_rest():
    mp_queue = multiprocessing.get_context("spawn").Queue()
    queue = MultiprocessingRequestQueue(mp_queue)
    assert queue.get(1, timeout=0.01) == []
    sent = [acquire(number, 60) for number in range(3)]
    for request in sent:
        mp_queue.put(request)
    assert queue.size() == 3
    assert queue.get(3, timeout=PATIENCE) == sent
    mp_queue.close()
    mp_queue.join_thread()


def test_a_server_on_a_multiprocessing_queue_stops_without_waiting_for_its_interval():
    server = LocalTimerServer(multiprocessing.get_context("spawn").Queue(), max_interval=600)
    server.start()
    thread = server._loop._running
    server.stop()
    assert not thread.is_alive()


def test_a_client_may_be_made_from_the_queue_as_in_pytorch():
    server = LocalTimerServer()
    LocalTimerClient(server._mp_queue).acquire("s", time.time() + 60)
    server._run_watchdog()
    assert (os.getpid(), "s") in server._timers


def test_what_cannot_be_unpickled_is_reported_and_loses_no_request():
    mp_queue = multiprocessing.Queue()
    queue = MultiprocessingRequestQueue(mp_queue)
    problems = []
    queue.on_malformed = problems.append
    mp_queue.put(TimerRequest(1, "before", 2.0))
    mp_queue.put(_Unloadable())
    mp_queue.put(TimerRequest(1, "after", 2.0))
    assert [request.scope_id for request in queue.get(3, timeout=60)] == ["before", "after"]
    assert len(problems) == 1
    assert "unpickled" in problems[0]


def test_a_queue_that_gives_nothing_but_errors_gives_an_empty_list():
    mp_queue = multiprocessing.Queue()
    queue = MultiprocessingRequestQueue(mp_queue)
    problems = []
    queue.on_malformed = problems.append
    mp_queue.close()
    assert queue.get(2, timeout=60) == []
    assert len(problems) == 2


class _Unloadable:
    def __reduce__(self):
        return int, ("not a number",)

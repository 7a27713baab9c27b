"""The interface's shared half: requests, and the watchdog of every backend."""

from __future__ import annotations

import pickle
import threading

import pytest
from elastic_timer import RequestQueue, TimerEvent, TimerRequest, TimerServer


class ScriptedQueue(RequestQueue):
    """A queue that gives what it was told to give, and notes how it was asked."""

    def __init__(self, *batches: list[TimerRequest]) -> None:
        self.batches = list(batches)
        self.gets: list[tuple[int, float]] = []
        self.woken = threading.Event()

    def size(self):
        return len(self.batches[0]) if self.batches else 0

    def get(self, size, timeout):
        self.gets.append((size, timeout))
        if self.batches:
            return self.batches.pop(0)[:size]
        self.woken.wait(0.01)  # as a queue would wait, though never as long as max_interval
        return []

    def wake(self):
        self.woken.set()


class ListServer(TimerServer):
    """A backend as somebody writes it who knows only expiration times."""

    def __init__(self, queue, max_interval=60.0, *, reap=lambda worker: True, **options):
        super().__init__(queue, max_interval, **options)
        self.timers: list[TimerRequest] = []
        self.reap = reap
        self.reaped: list[object] = []

    def register_timers(self, timer_requests):
        self.timers += timer_requests

    def clear_timers(self, worker_ids):
        self.timers = [timer for timer in self.timers if timer.worker_id not in worker_ids]

    def get_expired_timers(self, deadline):
        expired: dict[object, list[TimerRequest]] = {}
        for timer in self.timers:
            if timer.expiration_time <= deadline:
                expired.setdefault(timer.worker_id, []).append(timer)
        return expired

    def _reap_worker(self, worker_id):
        self.reaped.append(worker_id)
        return self.reap(worker_id)


def test_requests_are_equal_when_all_they_carry_is():
    request = TimerRequest(1, "a", 2.0)
    assert request == TimerRequest(1, "a", 2.0)
    assert request != TimerRequest(2, "a", 2.0)
    assert request != TimerRequest(1, "b", 2.0)
    assert request != TimerRequest(1, "a", 3.0)
    assert request != (1, "a", 2.0)
    assert pickle.loads(pickle.dumps(request)) == request
    assert repr(request) == "TimerRequest(worker_id=1, scope_id='a', expiration_time=2.0)"
    with pytest.raises(TypeError, match="unhashable"):
        hash(request)


@pytest.mark.parametrize("max_interval", [0, -1, float("nan"), float("inf")])
def test_a_max_interval_that_makes_no_sense_is_refused(max_interval):
    with pytest.raises(ValueError, match="max_interval must be"):
        ListServer(ScriptedQueue(), max_interval)


def test_a_watchdog_asks_once_for_what_is_there(clock):
    queue = ScriptedQueue([TimerRequest(1, "a", 2.0), TimerRequest(1, "b", 2.0)])
    server = ListServer(queue, 60.0, clock=clock)
    server._run_watchdog()
    assert queue.gets == [(2, 60.0)]
    server._run_watchdog()
    assert queue.gets[1:] == [(1, 60.0)]


def test_a_timer_that_expired_while_a_watchdog_waited_is_not_waited_for_again(clock):
    queue = ScriptedQueue([TimerRequest(1, "a", clock.wall + 5.0)])
    server = ListServer(queue, 60.0, clock=clock)
    server._run_watchdog()
    clock.advance(5.0)
    server._run_watchdog()
    assert queue.gets[-1] == (1, 0.0)
    assert server.reaped == [1]


def test_timers_are_judged_as_of_the_time_before_the_queue_was_read(clock):
    class SlowQueue(ScriptedQueue):
        def get(self, size, timeout):
            clock.advance(10.0)
            return super().get(size, timeout)

    server = ListServer(SlowQueue([TimerRequest(1, "a", clock.wall + 5.0)]), clock=clock)
    server._run_watchdog()
    assert server.reaped == []
    server._run_watchdog()
    assert server.reaped == [1]


def test_reaped_workers_are_cleared_and_the_others_are_tried_again(clock):
    def reap(worker):
        if worker == 1:
            raise RuntimeError("cannot say")
        return worker == 2

    requests = [TimerRequest(worker, "a", 1.0) for worker in (1, 2, 3)]
    server = ListServer(ScriptedQueue(requests), reap=reap, clock=clock)
    server._run_watchdog()
    assert server.reaped == [1, 2, 3]
    assert [timer.worker_id for timer in server.timers] == [3]
    server._run_watchdog()
    assert server.reaped == [1, 2, 3, 3]


def test_events_tell_each_thing_once(clock):
    events: list[TimerEvent] = []
    attempts = iter([False, False, True])
    requests = [TimerRequest(1, "b", clock.wall - 1.0), TimerRequest(1, "a", clock.wall - 2.0)]
    server = ListServer(
        ScriptedQueue(requests),
        reap=lambda worker: next(attempts),
        clock=clock,
        on_event=events.append,
    )
    for _ in range(3):
        server._run_watchdog()
    assert [(e.name, e.worker_id, e.scope_id, e.lateness) for e in events] == [
        ("expired", 1, "a", 2.0),
        ("expired", 1, "b", 1.0),
        ("reap failed", 1, "a", 2.0),
        ("reap failed", 1, "a", 2.0),
        ("reaped", 1, "a", 2.0),
    ]


@pytest.mark.parametrize("is_reaped", [True, False])
def test_a_worker_is_reaped_before_that_is_logged(is_reaped, clock, caplog):
    def reap(worker):
        assert caplog.text == ""
        return is_reaped

    server = ListServer(ScriptedQueue([TimerRequest(1, "a", 1.0)]), reap=reap, clock=clock)
    server._run_watchdog()
    assert "worker 1" in caplog.text
    assert "timer 'a' has expired" in caplog.text
    assert "raised" not in caplog.text


def test_a_listener_that_raises_changes_nothing(clock, caplog):
    def listen(event):
        raise ZeroDivisionError

    queue = ScriptedQueue([TimerRequest(1, "a", 1.0)])
    server = ListServer(queue, clock=clock, on_event=listen)
    server._run_watchdog()
    assert server.timers == []
    assert "on_event callback failed on 'expired'" in caplog.text


def test_start_and_stop_may_be_said_twice_and_a_stopped_server_runs_again(wait_until):
    events: list[str] = []
    queue = ScriptedQueue()
    server = ListServer(queue, on_event=lambda event: events.append(event.name))
    server.stop()
    with server:
        thread = server._loop._running
        server.start()
        assert server._loop._running is thread
        wait_until(lambda: queue.gets, "the first watchdog")
    server.stop()
    assert not thread.is_alive()
    queue.gets.clear()
    with server:
        wait_until(lambda: queue.gets, "a watchdog after the restart")
    assert events == ["started", "stopped"] * 2


def test_a_restarted_server_waits_for_the_watchdog_that_its_stop_did_not(wait_until):
    release, entered = threading.Event(), threading.Event()
    inside = 0
    most = 0

    class StubbornQueue(ScriptedQueue):
        def get(self, size, timeout):
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            entered.set()
            release.wait(30)
            inside -= 1
            return super().get(size, timeout)

    queue = StubbornQueue()
    server = ListServer(queue, max_interval=0.01)
    server.start()
    entered.wait(30)
    server.stop()
    server.start()
    release.set()
    wait_until(lambda: len(queue.gets) > 3, "the watchdogs of the second run")
    server.stop()
    assert most == 1


def test_the_loop_survives_a_watchdog_that_raises(wait_until, caplog):
    class Moody(ScriptedQueue):
        def size(self):
            if len(self.gets) % 2 == 0:
                self.gets.append((0, 0.0))
                raise OSError("not now")
            return 0

    queue = Moody()
    with ListServer(queue, max_interval=0.001):
        wait_until(lambda: len(queue.gets) >= 6, "the loop to go on")
    assert "the loop goes on" in caplog.text


def test_a_listener_may_stop_the_server(wait_until):
    server: ListServer

    def listen(event):
        if event.name == "reaped":
            server.stop()

    server = ListServer(ScriptedQueue([TimerRequest(1, "a", 1.0)]), on_event=listen)
    server.start()
    thread = server._loop._running
    assert thread is not None
    wait_until(lambda: not thread.is_alive(), "the watchdog to end itself")


def test_progress_is_told(clock, wait_until):
    server = ListServer(ScriptedQueue(), max_interval=0.001, clock=clock)
    assert server.get_last_progress_time() == clock.wall
    clock.advance(100.0)
    with server:
        clock.advance(100.0)
        wait_until(lambda: server.get_last_progress_time() == clock.wall, "progress to be told")


def test_lateness_is_as_of_the_reaping_and_not_of_the_wait_before_it(clock):
    class Waiting(ScriptedQueue):
        def get(self, size, timeout):
            clock.advance(3.0)
            return super().get(size, timeout)

    events = []
    queue = Waiting([TimerRequest(1, "a", clock.wall - 1.0)])
    ListServer(queue, clock=clock, on_event=events.append)._run_watchdog()
    assert [(event.name, event.lateness) for event in events] == [("expired", 4.0), ("reaped", 4.0)]

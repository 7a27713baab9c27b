"""The directory of tables as a server uses it: whatever is lost or broken, the rest is served."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import pytest
from elastic_timer import SharedMemoryTimerClient, SharedMemoryTimerServer
from elastic_timer.bell import Bell
from elastic_timer.clock import Instant
from elastic_timer.errors import ServerRunningError, ServerUnavailableError
from elastic_timer.shared_table import USED, table_name
from elastic_timer.worker import WorkerId, start_time
from elastic_timer.worker_table import WorkerTable

PATIENCE = 30.0  # see conftest
LATER = 3600.0


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "timers"
    path.mkdir(mode=0o700)
    return path


class Sleeper:
    """A process that sleeps, and its table, which is kept here in its place."""

    def __init__(self, directory, ring=None):
        self.process = subprocess.Popen(["sleep", "600"])
        self.worker_id = WorkerId(self.process.pid, start_time(self.process.pid))
        self._bell = Bell(directory)
        self.table = WorkerTable(directory, self.worker_id, ring or self.ring)

    def ring(self):
        self._bell.ring(self.worker_id)

    def arm(self, scope_id, after):
        self.table.arm(scope_id, Instant.now().after(after))

    def close(self):
        self.process.kill()
        self.process.wait()
        self.table.close()
        self._bell.close()


@pytest.fixture
def sleeper(directory):
    made = []

    def make(ring=None):
        made.append(Sleeper(directory, ring))
        return made[-1]

    yield make
    for each in made:
        each.close()


def scopes(server):
    return sorted(
        timer.scope_id
        for timers in server.get_expired_timers(Instant(float("inf"), float("inf"))).values()
        for timer in timers
    )


def test_a_server_that_knows_of_no_timer_looks_again_when_the_bound_has_passed(
    directory, sleeper, wait_until
):
    """The worker relies on it: it does not tell of a deadline behind the bound."""
    with SharedMemoryTimerServer(directory, max_interval=600) as server:
        hung = sleeper()
        hung.arm("far", 1.0)
        hung.arm("near", 0.2)
        wait_until(lambda: scopes(server) == ["far", "near"], "the timers to be known")
        bound = time.monotonic() + 0.9
        hung.table.disarm("near")
        hung.table.disarm("far")
        # The near one's time is over, the server has looked, and waits for nothing any more.
        wait_until(lambda: scopes(server) == [], "the releases to be known")
        hung.arm("late", bound - time.monotonic() + 0.4)
        assert hung.process.wait(PATIENCE) == -signal.SIGKILL


def test_a_ring_that_was_lost_is_made_up_for(directory, sleeper, monkeypatch):
    monkeypatch.setattr("elastic_timer.table_directory._SWEEP_INTERVAL", 0.0)
    with SharedMemoryTimerServer(directory, max_interval=0.05):
        hung = sleeper(ring=lambda: None)
        hung.arm("s", 0.1)
        assert hung.process.wait(PATIENCE) == -signal.SIGKILL


def test_one_damaged_table_leaves_all_others_enforced(directory, sleeper):
    events = []
    with SharedMemoryTimerServer(directory, max_interval=600, on_event=events.append):
        damaged, hung = sleeper(), sleeper()
        damaged.arm("damaged", LATER)
        damaged.table._words[USED] = float("nan")
        damaged.table._words[512] = float("nan")
        damaged.ring()
        hung.arm("hung", 0.2)
        assert hung.process.wait(PATIENCE) == -signal.SIGKILL
        assert damaged.process.poll() is None
    told = [event.detail for event in events if event.name == "malformed request"]
    assert len(told) == 2
    assert all(f"worker {damaged.process.pid} is damaged" in detail for detail in told)


def test_a_table_that_cannot_be_opened_for_now_is_opened_later(
    directory, sleeper, wait_until, few_descriptors
):
    events = []
    with SharedMemoryTimerServer(directory, max_interval=600, on_event=events.append):
        hung = sleeper()
        with few_descriptors(0):
            hung.arm("s", 0.1)
            wait_until(lambda: "malformed request" in [event.name for event in events], "a try")
        assert hung.process.wait(PATIENCE) == -signal.SIGKILL
    told = [event.detail for event in events if event.name == "malformed request"]
    assert len(told) == 1, "it is told once, however often it is tried"


def test_a_table_that_an_earlier_process_of_the_same_number_left_hides_none(directory, sleeper):
    with SharedMemoryTimerServer(directory):
        hung = sleeper(ring=lambda: None)
    hung.arm("s", 0.2)
    number = hung.worker_id.start_time
    left = [table_name(WorkerId(hung.worker_id, number + step)) for step in (-7, -3, 5)]
    for name in left:
        shutil.copy(directory / table_name(hung.worker_id), directory / name)
    with SharedMemoryTimerServer(directory):
        assert hung.process.wait(PATIENCE) == -signal.SIGKILL
        assert not [name for name in left if (directory / name).exists()]


def test_what_a_worker_left_that_was_killed_over_making_its_table_is_taken_away(directory):
    process = subprocess.Popen(["true"])
    process.wait()
    unfinished = directory / f".{table_name(WorkerId(process.pid, 1))}"
    unfinished.touch()
    with SharedMemoryTimerServer(directory):
        assert not unfinished.exists()


def test_a_copy_of_a_server_that_a_forked_child_has_does_not_serve(directory):
    with SharedMemoryTimerServer(directory) as server:
        child = os.fork()
        if child == 0:
            try:
                server.start()
            except ServerRunningError as error:
                server.stop()
                os._exit(0 if "copy made by a fork" in str(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_watchdog_that_outlives_stop_does_not_serve_again(directory):
    server = SharedMemoryTimerServer(directory, max_interval=0.01)
    server.start()
    server.stop()
    server._run_watchdog()  # as the thread does if stop() could not wait for it any longer
    with SharedMemoryTimerServer(directory):
        pass


def test_a_server_that_cannot_start_leaves_the_directory_to_others(directory, monkeypatch):
    server = SharedMemoryTimerServer(directory)
    with monkeypatch.context() as patch:
        patch.setattr("elastic_timer.table_directory.BellListener", fail)
        with pytest.raises(OSError, match="no descriptor left"):
            server.start()
    with SharedMemoryTimerServer(directory):
        pass
    with server:
        pass


def fail(*args):
    raise OSError("no descriptor left")


def test_a_directory_that_was_removed_is_told_to_both_sides(
    directory, sleeper, monkeypatch, wait_until
):
    monkeypatch.setattr("elastic_timer.table_directory._SWEEP_INTERVAL", 0.0)
    events = []
    with SharedMemoryTimerServer(directory, max_interval=0.05, on_event=events.append) as server:
        client = SharedMemoryTimerClient(directory)
        client.acquire("s", time.time() + LATER)
        hung = sleeper()
        hung.arm("s", 1.0)
        wait_until(lambda: scopes(server) == ["s", "s"], "the timers to be known")
        shutil.rmtree(directory)
        with pytest.raises(ServerUnavailableError, match="was removed"):
            client.acquire("s", time.time() + LATER / 2)
        # Whom the server knows, it guards nevertheless.
        assert hung.process.wait(PATIENCE) == -signal.SIGKILL
        server.stop()
    told = [event.detail for event in events if event.name == "malformed request"]
    assert len([detail for detail in told if "cannot look for new tables" in detail]) == 1


def test_timers_of_a_worker_that_ended_beside_a_dead_server_reap_nobody(directory, sleeper):
    with SharedMemoryTimerServer(directory):
        gone = sleeper()
    gone.arm("s", 0.0)
    gone.process.kill()
    gone.process.wait()
    events = []
    with SharedMemoryTimerServer(directory, on_event=events.append) as server:
        assert server.get_expired_timers(float("inf")) == {}
    assert [event.name for event in events] == ["started", "stopped"]
    assert not (directory / table_name(gone.worker_id)).exists()

"""The shared-memory server with real processes: it may die, be replaced, and lose nothing."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from elastic_timer import SharedMemoryTimerClient, SharedMemoryTimerServer, configure, expires
from elastic_timer.errors import ServerRunningError, ServerUnavailableError
from elastic_timer.shared_table import table_name
from elastic_timer.worker import WorkerId, current_worker, start_time

PATIENCE = 30.0  # see conftest
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "timers"
    path.mkdir(mode=0o700)
    return path


def hang(client, after, ready=None) -> None:
    configure(client)
    with expires(after=after):
        if ready is not None:
            ready.set()
        time.sleep(600)


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_a_hung_worker_is_reaped_at_default_settings(method):
    with SharedMemoryTimerServer() as server:
        context = multiprocessing.get_context(method)
        worker = context.Process(target=hang, args=(server.client(), 0.2))
        worker.start()
        worker.join(PATIENCE)
        assert worker.exitcode == -signal.SIGKILL


def test_an_unrelated_process_needs_only_the_directory(directory):
    code = (
        "import sys, time, elastic_timer as timer\n"
        "timer.configure(timer.SharedMemoryTimerClient(sys.argv[1]))\n"
        "with timer.expires(after=0.2):\n"
        "    time.sleep(600)\n"
    )
    with SharedMemoryTimerServer(directory):
        process = subprocess.run([sys.executable, "-c", code, directory], timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL


@pytest.fixture
def no_room():
    """No file can be as long as a table, until the test ends or calls what this gives."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def make_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield make_room
    make_room()


def test_a_table_for_which_there_is_no_room_leaves_nothing_behind(directory, no_room):
    with SharedMemoryTimerServer(directory):
        before = set(os.listdir(directory)), len(os.listdir("/proc/self/fd"))
        client = SharedMemoryTimerClient(directory)
        for _ in range(3):
            with pytest.raises(OSError, match="File too large"):
                client.acquire("scope", time.time() + 60)
        assert before == (set(os.listdir(directory)), len(os.listdir("/proc/self/fd")))
        no_room()
        client.acquire("scope", time.time() + 60)
        client.release("scope")


def serve(directory, ready) -> None:
    server = SharedMemoryTimerServer(directory)
    server.start()
    ready.set()
    signal.pause()


def hold_and_release(client, ready, go, done) -> None:
    """Be healthy: release, while there is no server, what was armed while there was one."""
    configure(client)
    with expires(after=4.0, scope="held over the crash"):
        ready.set()
        go.wait(PATIENCE)
    done.set()
    go.clear()
    time.sleep(600)


def test_a_replacement_enforces_what_was_armed_and_honours_what_was_released(directory):
    started = SPAWN.Event()
    first = SPAWN.Process(target=serve, args=(directory, started))
    first.start()
    assert started.wait(PATIENCE)
    client = SharedMemoryTimerClient(directory)
    events = [SPAWN.Event() for _ in range(3)]
    healthy = SPAWN.Process(target=hold_and_release, args=(client, *events))
    armed = SPAWN.Event()
    hung = SPAWN.Process(target=hang, args=(client, 4.0, armed))
    healthy.start()
    hung.start()
    assert events[0].wait(PATIENCE)
    assert armed.wait(PATIENCE)
    first.kill()
    first.join()
    events[1].set()
    assert events[2].wait(PATIENCE)
    late = SPAWN.Process(target=hang, args=(client, 0.1))  # armed while no server is there
    late.start()
    with SharedMemoryTimerServer(directory):
        hung.join(PATIENCE)
        late.join(PATIENCE)
        # Both timers were armed before the crash, for the same time: the healthy one's has passed.
        assert (hung.exitcode, late.exitcode) == (-signal.SIGKILL, -signal.SIGKILL)
        assert healthy.exitcode is None
    healthy.kill()
    healthy.join()


def test_a_restarted_server_has_not_missed_a_release():
    server = SharedMemoryTimerServer()
    server.start()
    client = server.client()
    client.acquire("s", time.time() + 600)
    server.stop()
    client.release("s")
    server.start()
    assert server.get_expired_timers(float("inf")) == {}
    assert len(server._timers) == 0
    server.stop()


def test_one_server_at_a_time(directory):
    started = SPAWN.Event()
    first = SPAWN.Process(target=serve, args=(directory, started))
    first.start()
    assert started.wait(PATIENCE)
    second = SharedMemoryTimerServer(directory)
    with pytest.raises(ServerRunningError, match=f"process {first.pid} serves"):
        second.start()
    first.kill()
    first.join()
    with second:
        third = SharedMemoryTimerServer(directory)
        with pytest.raises(ServerRunningError, match="of this process"):
            third.start()
    with third:
        pass


def test_a_worker_that_outlives_its_server_keeps_no_lock(directory):
    """Forked workers inherit the server's descriptors, and must not stand in for it."""
    server = SharedMemoryTimerServer(directory)
    server.start()
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    server.stop()
    with SharedMemoryTimerServer(directory):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_clients_of_one_process_share_its_table(directory, wait_until):
    with SharedMemoryTimerServer(directory) as server:
        first, second = SharedMemoryTimerClient(directory), server.client()
        first.acquire("a", time.time() + 600)
        second.acquire("b", time.time() + 600)
        second.release("a")
        wait_until(lambda: server.get_expired_timers(float("inf")), "the table to be found")
        (timers,) = server.get_expired_timers(float("inf")).values()
        assert [timer.scope_id for timer in timers] == ["b"]
        first.release("b")


def test_a_forked_child_has_a_table_of_its_own(directory):
    with SharedMemoryTimerServer(directory) as server:
        client = server.client()
        client.acquire("parent's", time.time() + 600)
        child = os.fork()
        if child == 0:
            client.release("parent's")
            client.acquire("child's", time.time() + 600)
            time.sleep(600)
        try:
            deadline = time.monotonic() + PATIENCE
            while len(timers := server.get_expired_timers(float("inf"))) < 2:
                assert time.monotonic() < deadline, f"the child's timer did not come: {timers}"
                time.sleep(0.001)
            scopes = {worker: [t.scope_id for t in ts] for worker, ts in timers.items()}
            assert scopes == {os.getpid(): ["parent's"], child: ["child's"]}
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        client.release("parent's")


def test_a_child_forked_inside_a_block_leaves_it_without_a_trace(directory):
    with SharedMemoryTimerServer(directory) as server:
        with expires(after=600, scope="s", client=server.client()):
            child = os.fork()
        if child == 0:
            # The server's own locks may be held by its thread, which the child does not have.
            table = SharedMemoryTimerClient(directory)._open()
            with expires(after=600, scope="s", client=SharedMemoryTimerClient(directory)):
                held = [*table._slots["s"][1]]
            left = [*table._slots["s"][1]]
            os._exit(0 if [type(held[0]), *left] == [expires, None] else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert not any(server.get_expired_timers(float("inf")).values())


def test_tables_of_dead_workers_are_taken_away(directory, wait_until):
    with SharedMemoryTimerServer(directory, max_interval=0.01) as server:
        worker = SPAWN.Process(target=hang, args=(server.client(), 600.0))
        worker.start()
        tables = lambda: list(directory.glob("*.timers"))  # noqa: E731
        wait_until(tables, "the worker's table")
        wait_until(lambda: server.get_expired_timers(float("inf")), "the worker's timer")
        worker.kill()
        worker.join()
        wait_until(lambda: not tables(), "the table to be taken away")
        assert server.get_expired_timers(float("inf")) == {}


def test_tables_left_over_from_before_the_server_are_taken_away(directory):
    process = subprocess.Popen(["true"])
    leftover = directory / table_name(WorkerId(process.pid, 1))
    process.wait()
    with SharedMemoryTimerServer(directory):
        leftover.touch()
    with SharedMemoryTimerServer(directory):
        assert not leftover.exists()


def test_a_file_that_is_no_table_is_told_and_the_others_served(directory):
    events = []
    me = current_worker()
    (directory / table_name(me)).write_bytes(b"what is this")
    with subprocess.Popen(["sleep", "600"]) as process:
        other = WorkerId(process.pid, start_time(process.pid))
        server = SharedMemoryTimerServer(directory, on_event=events.append)
        with server:
            assert [event.name for event in events] == ["malformed request", "started"]
            assert table_name(me) in events[0].detail
            assert other not in server.get_expired_timers(float("inf"))
        process.kill()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_directory_that_others_may_use_is_refused(directory, mode):
    directory.chmod(mode)
    with pytest.raises(PermissionError, match=f"mode {mode:o}.*chmod 700"):
        SharedMemoryTimerServer(directory)


def test_a_new_directory_is_private_and_goes_with_its_server():
    server = SharedMemoryTimerServer()
    path = server.directory
    assert path.stat().st_mode & 0o777 == 0o700
    with server:
        server.client().acquire("s", time.time() + 600)
        server.client().release("s")
        assert {p.stat().st_mode & 0o777 for p in path.iterdir()} == {0o600}
    del server
    import gc

    gc.collect()
    assert not path.exists()


def test_without_a_directory_or_a_server_acquiring_fails_at_once(directory, tmp_path):
    for place in (directory, tmp_path / "nowhere"):
        with pytest.raises(ServerUnavailableError, match="start one first") as caught:
            SharedMemoryTimerClient(place).acquire("s", time.time() + 600)
        assert caught.value.errno == errno.ENOENT
        SharedMemoryTimerClient(place).release("s")


def test_a_timer_that_is_earlier_than_all_the_server_knows_is_seen_at_once(directory):
    with SharedMemoryTimerServer(directory, max_interval=600) as server:
        client = server.client()
        long = SPAWN.Process(target=hang, args=(client, 600.0))
        short = SPAWN.Process(target=hang, args=(client, 0.2))
        long.start()
        short.start()
        short.join(PATIENCE)
        assert short.exitcode == -signal.SIGKILL
        assert long.exitcode is None
        long.kill()
        long.join()

"""The named pipe: who may use its path, who reads it, and what becomes of it."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest
from elastic_timer import FileTimerRequest
from elastic_timer.file_timer_request import FileRequestReader
from elastic_timer.named_pipe import NamedPipe, has_locking_reader

PATIENCE = 30.0  # see conftest

SPAWN = multiprocessing.get_context("spawn")


def open_pipe(path) -> NamedPipe:
    return NamedPipe(str(path), FileRequestReader())


def line(number: int) -> bytes:
    return FileTimerRequest(7, str(number), -1).to_json().encode() + b"\n"


def write(path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    os.write(descriptor, data)
    os.close(descriptor)


def numbers(pipe: NamedPipe) -> list[int]:
    return [int(request.scope_id) for request in pipe.get(pipe.size(), timeout=0)]


def identity(path) -> tuple[int, int, int]:
    status = os.lstat(path)
    return status.st_dev, status.st_ino, status.st_mode


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pipe"


@pytest.fixture
def pipe(path):
    pipe = open_pipe(path)
    yield pipe
    pipe.close()


def test_what_is_written_at_the_path_can_be_got(pipe, path):
    assert pipe.get(1, timeout=0) == []
    write(path, line(1) + line(2))
    write(path, line(3))
    assert pipe.size() == 3
    assert numbers(pipe) == [1, 2, 3]


def test_a_writer_that_leaves_does_not_end_the_pipe(pipe, path):
    write(path, line(1))
    assert numbers(pipe) == [1]
    start = time.monotonic()
    assert pipe.get(1, timeout=0.05) == []
    assert time.monotonic() - start >= 0.05


@pytest.mark.parametrize("umask", [0, 0o027, 0o777], ids=oct)
def test_only_its_user_may_use_it_whatever_the_umask(path, umask):
    former = os.umask(umask)
    try:
        pipe = open_pipe(path)
    finally:
        os.umask(former)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    pipe.close()


def make_file(path):
    path.write_text("precious")


def make_directory(path):
    path.mkdir()


def make_link(path):
    os.mkfifo(path.with_name("elsewhere"), 0o600)
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("make", [make_file, make_directory, make_link])
def test_what_is_no_named_pipe_is_refused_and_left_alone(path, make):
    make(path)
    before = identity(path)
    with pytest.raises(FileExistsError, match=r"no named pipe; it is left alone.*pipe'"):
        open_pipe(path)
    assert identity(path) == before
    assert not path.is_file() or path.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another user")
def test_another_users_pipe_is_refused_and_left_alone(path):
    os.mkfifo(path, 0o600)
    os.chown(path, 65534, -1)
    before = identity(path)
    with pytest.raises(FileExistsError, match="belongs to the user 65534; it is left alone"):
        open_pipe(path)
    assert identity(path) == before


def test_a_pipe_that_somebody_reads_is_refused_and_left_alone(path):
    os.mkfifo(path, 0o600)
    before = identity(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(FileExistsError, match="another timer server reads"):
        open_pipe(path)
    assert identity(path) == before
    os.close(reader)


def test_a_pipe_of_another_server_is_refused_and_goes_on(pipe, path):
    with pytest.raises(FileExistsError, match="another timer server reads"):
        open_pipe(path)
    write(path, line(1))
    assert numbers(pipe) == [1]


def test_a_path_without_a_directory_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_pipe(tmp_path / "missing" / "pipe")


def hold(path, report) -> None:
    """Have the pipe until killed, and a forked child that does nothing."""
    pipe = open_pipe(path)
    if os.fork() == 0:
        report.send(os.getpid())  # by now it has closed what the fork copied
    signal.pause()
    pipe.close()


def test_a_dead_servers_pipe_is_taken_over_although_its_forked_child_lives(path):
    here, there = SPAWN.Pipe()
    server = SPAWN.Process(target=hold, args=(path, there))
    server.start()
    assert here.poll(PATIENCE)
    child = here.recv()
    try:
        with pytest.raises(FileExistsError, match="another timer server reads"):
            open_pipe(path)
        writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        os.write(writer, line(1))
        left_by_it = identity(path)
        server.kill()
        server.join()
        with pytest.raises(BrokenPipeError):
            os.write(writer, line(2))
        pipe = open_pipe(path)
        assert identity(path) == left_by_it
        os.write(writer, line(3))
        assert numbers(pipe) == [1, 3]  # as long as a worker has it open, a pipe keeps all
        os.close(writer)
        pipe.close()
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_leftover_that_others_could_open_is_replaced(path):
    os.mkfifo(path)
    os.chmod(path, 0o666)
    before = os.stat(path)
    theirs = os.open(path, os.O_PATH)  # so that the inode's number cannot come again
    pipe = open_pipe(path)
    after = os.stat(path)
    assert after.st_ino != before.st_ino
    assert stat.S_IMODE(after.st_mode) == 0o600
    os.close(theirs)
    pipe.close()


def contend(path, gate, report) -> None:
    gate.wait()
    try:
        pipe = open_pipe(path)
    except FileExistsError as error:
        report.put(str(error))
    else:
        report.put("")
        gate.wait()  # until the other one has tried
        pipe.close()
        return
    gate.wait()


@pytest.mark.parametrize("leftover", [False, True], ids=["new", "left over"])
def test_of_two_servers_that_start_at_once_one_has_the_pipe(path, leftover):
    context = multiprocessing.get_context("fork")
    for _ in range(20):
        if leftover:
            os.mkfifo(path, 0o600)
        gate, report = context.Barrier(2), context.Queue()
        servers = [context.Process(target=contend, args=(path, gate, report)) for _ in range(2)]
        for server in servers:
            server.start()
        outcomes = sorted(report.get(timeout=PATIENCE) for _ in servers)
        for server in servers:
            server.join(PATIENCE)
        assert outcomes[0] == ""
        assert "another timer server" in outcomes[1]
        assert not path.exists()


def test_closing_removes_the_path_and_tells_writers(pipe, path):
    writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    pipe.close()
    pipe.close()
    assert not path.exists()
    with pytest.raises(BrokenPipeError):
        os.write(writer, line(1))
    os.close(writer)
    assert pipe.get(1, timeout=PATIENCE) == []


def test_closing_leaves_alone_what_has_taken_its_place(pipe, path):
    path.unlink()
    path.write_text("precious")
    pipe.close()
    assert path.read_text() == "precious"


def test_what_was_written_before_closing_can_still_be_got_and_so_after_opening_again(pipe, path):
    write(path, line(1) + line(2))
    pipe.close()
    assert numbers(pipe) == [1, 2]
    pipe.open()
    pipe.open()
    write(path, line(3))
    pipe.close()
    pipe.open()
    write(path, line(4))
    assert numbers(pipe) == [3, 4]


def test_every_request_is_either_refused_or_read_when_the_pipe_is_closed_under_its_writers(path):
    for _ in range(50):
        pipe = open_pipe(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        sent: list[int] = []

        def send(descriptor: int = descriptor, sent: list[int] = sent) -> None:
            for number in range(1_000_000):
                try:
                    os.write(descriptor, line(number))
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    return
                sent.append(number)

        writer = threading.Thread(target=send)
        writer.start()
        received = [int(request.scope_id) for request in pipe.get(10, timeout=PATIENCE)]
        pipe.close()
        writer.join(PATIENCE)
        assert not writer.is_alive()
        received += [int(request.scope_id) for request in pipe.get(1_000_000, timeout=0)]
        assert received == sent
        os.close(descriptor)


def test_half_a_line_is_reported_on_closing_and_spoils_nothing_afterwards(pipe, path):
    reports: list[Exception] = []
    pipe.on_malformed = reports.append
    write(path, line(1) + line(2)[:20])
    pipe.close()
    assert [each.data for each in reports] == [line(2)[:20]]
    pipe.open()
    write(path, line(3))
    assert numbers(pipe) == [1, 3]


def test_half_a_line_of_a_writer_that_stalls_delays_nobody(pipe, path):
    stalled = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    os.write(stalled, line(1)[:30])
    write(path, line(2))
    start = time.monotonic()
    assert [request.scope_id for request in pipe.get(1, timeout=PATIENCE)] == ["2"]
    assert time.monotonic() - start < PATIENCE
    os.close(stalled)


def test_a_waiting_get_returns_when_the_pipe_is_closed(pipe, path, wait_until):
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(pipe.get(2, timeout=600)))
    thread.start()
    write(path, line(1))
    wait_until(lambda: not select.select([pipe._read_fd], [], [], 0)[0], "the request to be read")
    pipe.close()
    thread.join(PATIENCE)
    assert [[request.scope_id for request in result] for result in results] == [["1"]]


def test_it_may_be_closed_by_whoever_is_told_of_something_malformed(pipe, path):
    pipe.on_malformed = lambda _: pipe.close()
    write(path, b"what is this\n" + line(1))
    assert numbers(pipe) == [1]
    assert not path.exists()


def test_writers_can_tell_who_reads(pipe, path):
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    assert has_locking_reader(descriptor)
    assert has_locking_reader(descriptor)
    os.close(descriptor)
    other = path.with_name("other")
    os.mkfifo(other)
    descriptor = os.open(other, os.O_RDWR)
    assert not has_locking_reader(descriptor)
    os.close(descriptor)


def test_a_pipe_that_nobody_refers_to_is_removed_and_its_descriptors_are_given_back(path):
    before = set(os.listdir("/proc/self/fd"))
    pipe = open_pipe(path)
    assert set(os.listdir("/proc/self/fd")) > before
    del pipe
    assert set(os.listdir("/proc/self/fd")) == before
    assert not path.exists()


PROGRAM = """
import os, sys
from elastic_timer import FileTimerServer
server = FileTimerServer(sys.argv[1], "run")
server.start()
if os.fork() == 0:
    server.stop()
    sys.exit()
os.wait()
print(os.path.exists(sys.argv[1]))
"""


def test_it_is_removed_at_exit_and_by_no_forked_child(path):
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, path], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("True\n", "")
    assert not path.exists()

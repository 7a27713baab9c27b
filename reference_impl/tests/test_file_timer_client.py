"""The client of a named pipe: whoever reads it, whenever it does, and if nobody does."""

from __future__ import annotations

import os
import pickle
import threading
import time

import elastic_timer.file_timer_client as module
import pytest
from elastic_timer import (
    FileTimerClient,
    RequestQueueFullError,
    RequestTooLargeError,
    ServerUnavailableError,
)
from elastic_timer.clock import Instant
from elastic_timer.file_timer_request import FileRequestReader
from elastic_timer.named_pipe import NamedPipe
from elastic_timer.worker import current_worker

PATIENCE = 30.0  # see conftest


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pipe"


@pytest.fixture
def pipe(path):
    pipe = NamedPipe(str(path), FileRequestReader())
    yield pipe
    pipe.close()


def received(pipe: NamedPipe) -> list[str]:
    return [request.scope_id for request in pipe.get(pipe.size(), timeout=0)]


def open_descriptors(path) -> int:
    """Return how many descriptors of this process are open for writing at the path."""
    count = 0
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            same = os.path.samestat(os.stat(f"/proc/self/fd/{descriptor}"), os.stat(path))
        except OSError:
            continue
        if same:
            with open(f"/proc/self/fdinfo/{descriptor}") as info:
                flags = next(line for line in info if line.startswith("flags:"))
            count += int(flags.split()[1], 8) & os.O_ACCMODE == os.O_WRONLY
    return count


def test_requests_carry_who_when_and_how(pipe, path):
    client = FileTimerClient(path, signal=15)
    before = Instant.now()
    client.acquire("a", before.after(5))
    client.acquire("b", float(before) + 5)
    client.release("a")
    acquired, plain, released = pipe.get(3, timeout=0)
    for request in (acquired, plain, released):
        assert request.worker_pid == os.getpid()
        assert request.worker_id.start_time == current_worker().start_time
    assert (acquired.scope_id, acquired.expiration_time, acquired.signal) == ("a", before + 5, 15)
    assert acquired.expiration_time.monotonic == before.monotonic + 5
    assert plain.expiration_time == before + 5
    # The wall clock may be slewed between two readings; a millisecond is a generous share of that.
    assert plain.expiration_time.monotonic >= before.monotonic + 5 - 1e-3
    assert (released.scope_id, released.expiration_time, released.signal) == ("a", -1, 0)


def test_a_pipe_of_our_server_stays_open_between_requests(pipe, path):
    client = FileTimerClient(path)
    client.release("a")
    descriptor = client._writing_end.fd
    client.release("b")
    assert client._writing_end.fd == descriptor
    assert received(pipe) == ["a", "b"]
    del client
    assert open_descriptors(path) == 1  # the pipe's own


def test_a_pipe_that_pytorch_may_be_reading_is_left_after_each_request(path):
    """PyTorch's server judges no timer while a client that is silent has its pipe open."""
    os.mkfifo(path)
    lines: list[str] = []

    def read() -> None:
        with open(path) as pipe:
            lines.extend(pipe)  # until no writer has it open

    reader = threading.Thread(target=read)
    reader.start()
    FileTimerClient(path).release("a")
    reader.join(PATIENCE)
    assert not reader.is_alive()
    assert ['"scope_id": "a"' in line for line in lines] == [True]


def make_nothing(path):
    pass


def make_unread_pipe(path):
    os.mkfifo(path)


@pytest.mark.parametrize("make", [make_nothing, make_unread_pipe])
def test_without_a_server_a_client_says_so_after_a_second(path, make):
    make(path)
    start = time.monotonic()
    with pytest.raises(ServerUnavailableError, match=r"no timer server has read this pipe.*pipe'"):
        FileTimerClient(path).acquire("a", time.time() + 60)
    assert time.monotonic() - start >= 1.0


def test_the_error_is_the_one_that_pytorchs_client_raises(path, monkeypatch):
    monkeypatch.setattr(module, "_OPEN_TIMEOUT", 0.0)
    with pytest.raises(BrokenPipeError):
        FileTimerClient(path).release("a")


def test_what_is_no_pipe_is_not_written_to(path):
    path.write_text("precious")
    with pytest.raises(ServerUnavailableError, match="no timer server's pipe"):
        FileTimerClient(path).release("a")
    assert path.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another user")
def test_another_users_pipe_is_told_nothing(path):
    os.mkfifo(path)
    os.chown(path, 65534, -1)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(PermissionError, match="belongs to the user 65534"):
        FileTimerClient(path).release("a")
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_server_that_starts_a_little_later_is_waited_for(path, monkeypatch):
    monkeypatch.setattr(module, "_OPEN_TIMEOUT", PATIENCE)
    tried = threading.Event()
    sleep = time.sleep
    monkeypatch.setattr(module.time, "sleep", lambda seconds: (tried.set(), sleep(seconds)))
    worker = threading.Thread(target=FileTimerClient(path).release, args=("a",))
    worker.start()
    assert tried.wait(PATIENCE)
    pipe = NamedPipe(str(path), FileRequestReader())
    assert [request.scope_id for request in pipe.get(1, timeout=PATIENCE)] == ["a"]
    worker.join(PATIENCE)
    pipe.close()


def test_a_server_that_was_started_again_is_found(pipe, path):
    client = FileTimerClient(path)
    client.release("a")
    pipe.close()
    pipe.open()
    client.release("b")
    assert received(pipe) == ["a", "b"]
    assert open_descriptors(path) == 2


def test_a_server_that_took_the_path_is_found_though_the_other_reads_on(pipe, path):
    client = FileTimerClient(path)
    client.release("a")
    path.unlink()
    successor = NamedPipe(str(path), FileRequestReader())
    client.release("b")
    assert received(pipe) == ["a"]
    assert received(successor) == ["b"]
    successor.close()


def test_a_server_whose_path_is_gone_is_served_on(pipe, path):
    client = FileTimerClient(path)
    client.release("a")
    path.unlink()
    client.release("b")
    assert received(pipe) == ["a", "b"]


def test_a_full_pipe_is_refused_and_works_again(pipe, path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    client = FileTimerClient(path)
    count = 0
    full = False
    while not full:
        try:
            client.release(str(count))
            count += 1
        except RequestQueueFullError:
            full = True
        assert count < 1_000_000
    assert count > 1000
    assert received(pipe) == list(map(str, range(count)))
    client.release("again")
    assert received(pipe) == ["again"]


def test_a_scope_that_is_too_long_is_refused_and_nothing_sent(pipe, path):
    client = FileTimerClient(path)
    with pytest.raises(RequestTooLargeError, match=r"\d{5} bytes.*4096"):
        client.acquire("x" * 10_000, time.time() + 60)
    client.release("a")
    assert received(pipe) == ["a"]


@pytest.mark.parametrize(
    ("expiration_time", "error"),
    [(-1.0, ValueError), (float("nan"), ValueError), (float("inf"), ValueError), ("1", TypeError)],
)
def test_a_time_that_is_none_is_refused_before_it_is_sent(pipe, path, expiration_time, error):
    with pytest.raises(error, match="expiration_time must"):
        FileTimerClient(path).acquire("a", expiration_time)
    assert pipe.size() == 0


def test_many_threads_share_a_client_while_the_server_is_started_again_and_again(
    pipe, path, monkeypatch
):
    monkeypatch.setattr(module, "_OPEN_TIMEOUT", PATIENCE)
    client = FileTimerClient(path)
    counts = [0] * 4
    errors: list[BaseException] = []
    done = threading.Event()

    def work(thread: int) -> None:
        try:
            while not done.is_set():
                client.release(f"{thread}/{counts[thread]}")
                counts[thread] += 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    requests = []
    for _ in range(50):
        requests += pipe.get(20, timeout=PATIENCE)
        pipe.close()
        pipe.open()
    done.set()
    while any(thread.is_alive() for thread in threads):
        requests += pipe.get(1000, timeout=0.01)
    requests += pipe.get(1_000_000, timeout=0)
    assert not errors
    for thread in range(4):
        mine = [r.scope_id for r in requests if r.scope_id.startswith(f"{thread}/")]
        assert mine == [f"{thread}/{number}" for number in range(counts[thread])]


def test_a_client_travels_to_a_worker_without_its_descriptor(pipe, path):
    client = FileTimerClient(path, 15)
    client.release("a")
    travelled = pickle.loads(pickle.dumps(client))
    assert travelled._writing_end is None
    travelled.release("b")
    assert travelled.signal == 15
    assert received(pipe) == ["a", "b"]


def test_a_relative_path_stays_right_when_the_worker_changes_its_directory(
    pipe, path, monkeypatch, tmp_path_factory
):
    monkeypatch.chdir(path.parent)
    client = FileTimerClient("pipe")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    client.release("a")
    assert received(pipe) == ["a"]

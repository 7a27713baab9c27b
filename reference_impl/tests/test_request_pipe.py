"""The request pipe: what a kernel pipe gives, and what is built on it."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import threading
import time

import pytest
from elastic_timer.api import TimerRequest
from elastic_timer.errors import (
    RequestQueueFullError,
    RequestTooLargeError,
    ServerUnavailableError,
)
from elastic_timer.request_pipe import RequestPipe, RequestPipeWriter

PATIENCE = 30.0  # see conftest


def request(number: int, scope: str = "scope") -> TimerRequest:
    return TimerRequest(number, scope, 1.0 + number)


def put_many(sink, worker: int, count: int) -> None:
    for number in range(count):
        sink.put(request(worker, f"{worker}.{number}"))


def put_for_ever(sink) -> None:
    while True:
        sink.put(request(os.getpid(), "x" * 1000))


def fill(pipe: RequestPipe) -> int:
    """Put until the pipe refuses; return how many requests it took."""
    for count in range(1_000_000):
        try:
            pipe.put(request(count))
        except RequestQueueFullError:
            return count
    raise AssertionError("the pipe never got full")


def test_size_counts_and_get_returns_what_was_put_in_order():
    pipe = RequestPipe()
    sent = [request(number) for number in range(5)]
    for each in sent:
        pipe.put(each)
    assert pipe.size() == 5
    assert pipe.size() == 5
    assert pipe.get(2, timeout=0) == sent[:2]
    assert pipe.size() == 3
    assert pipe.get(10, timeout=0) == sent[2:]


def test_an_empty_pipe_gives_an_empty_list_after_the_timeout():
    pipe = RequestPipe()
    start = time.monotonic()
    assert pipe.get(1, timeout=0.05) == []
    assert time.monotonic() - start >= 0.05


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
@pytest.mark.parametrize("end", ["pipe", "writer"])
def test_many_workers_write_at_once_and_nothing_is_lost_or_mixed(method, end):
    pipe = RequestPipe()
    context = multiprocessing.get_context(method)
    sink = pipe if end == "pipe" else pipe.writer()
    workers = [context.Process(target=put_many, args=(sink, w, 500)) for w in range(3)]
    for worker in workers:
        worker.start()
    received = pipe.get(1500, timeout=PATIENCE)
    for worker in workers:
        worker.join(PATIENCE)
    assert len(received) == 1500
    assert pipe.size() == 0
    for w in range(3):
        scopes = [each.scope_id for each in received if each.worker_id == w]
        assert scopes == [f"{w}.{number}" for number in range(500)]


def test_a_writer_that_is_killed_leaves_whole_requests():
    pipe = RequestPipe()
    reports: list[object] = []
    pipe.on_malformed = reports.append
    context = multiprocessing.get_context("fork")
    received = []
    for _ in range(20):
        worker = context.Process(target=put_for_ever, args=(pipe.writer(),))
        worker.start()
        received += pipe.get(50, timeout=PATIENCE)
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
    received += pipe.get(pipe.size(), timeout=0)
    assert len(received) >= 20 * 50
    assert not reports
    assert all(each.scope_id == "x" * 1000 for each in received)


def test_the_longest_request_goes_through_and_a_longer_one_is_refused():
    pipe = RequestPipe()
    longest = next(n for n in range(select.PIPE_BUF, 0, -1) if _fits(pipe, "é" * (n // 2)))
    assert longest > 3900
    (received,) = pipe.get(1, timeout=0)
    with pytest.raises(RequestTooLargeError, match=r"4\d\d\d bytes.*shorter scope"):
        pipe.put(request(1, received.scope_id + "xx"))
    assert pipe.size() == 0


def _fits(pipe: RequestPipe, scope: str) -> bool:
    try:
        pipe.put(request(1, scope))
    except RequestTooLargeError:
        return False
    return True


def test_a_full_pipe_holds_thousands_then_says_so_then_works_again():
    pipe = RequestPipe(put_timeout=0.05)
    count = fill(pipe)
    assert count > 1000
    assert pipe.size() == count
    pipe.put(request(count))
    assert [each.worker_id for each in pipe.get(count + 1, timeout=0)] == list(range(count + 1))


def test_a_full_pipe_takes_a_request_as_soon_as_there_is_room():
    pipe = RequestPipe(put_timeout=0.05)
    count = fill(pipe)
    patient = RequestPipeWriter(pipe._write_fd, put_timeout=PATIENCE)
    thread = threading.Thread(target=patient.put, args=(request(count),))
    thread.start()
    assert len(pipe.get(count + 1, timeout=PATIENCE)) == count + 1
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_writers_learn_that_nobody_reads_any_more():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    writer = RequestPipeWriter(writing)
    os.close(reading)
    with pytest.raises(ServerUnavailableError, match="no timer server reads"):
        writer.put(request(1))
    os.close(writing)


def test_a_waiting_get_can_be_woken(wait_until):
    pipe = RequestPipe()
    results: list[list[TimerRequest]] = []
    thread = threading.Thread(target=lambda: results.append(pipe.get(2, timeout=600)))
    thread.start()
    pipe.put(request(1))
    wait_until(lambda: not select.select([pipe._read_fd], [], [], 0)[0], "the request to be read")
    pipe.wake()
    thread.join(PATIENCE)
    assert results == [[request(1)]]


def test_a_flood_cannot_keep_the_reader():
    """size() returns although the writers never stop."""
    pipe = RequestPipe()
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=put_for_ever, args=(pipe.writer(),)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for _ in range(20):
        assert pipe.get(max(1, pipe.size()), timeout=PATIENCE)
    for writer in writers:
        writer.kill()
        writer.join()


def test_foreign_bytes_are_reported():
    pipe = RequestPipe()
    reports: list[Exception] = []
    pipe.on_malformed = reports.append
    pipe.put(request(1))
    os.write(pipe._write_fd, b"what is this")
    pipe.put(request(2))
    assert pipe.get(3, timeout=0) == [request(1), request(2)]
    assert [each.data for each in reports] == [b"what is this"]


def test_foreign_bytes_are_logged_if_nobody_listens(caplog):
    pipe = RequestPipe()
    os.write(pipe._write_fd, b"what is this\n")
    assert pipe.size() == 0
    assert "what is this" in caplog.text


def test_its_descriptors_are_given_back():
    before = set(os.listdir("/proc/self/fd"))
    pipe = RequestPipe()
    assert set(os.listdir("/proc/self/fd")) > before
    del pipe
    assert set(os.listdir("/proc/self/fd")) == before

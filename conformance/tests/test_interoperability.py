"""Either half of the local timers may be PyTorch's, where both use a `multiprocessing.Queue`.

A job can so change over one process at a time. The workers run the `expires` of the implementation
that their client belongs to.
"""

from __future__ import annotations

import importlib
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

# Found, not imported: the test's process need not wait for PyTorch if it only collects.
pytestmark = pytest.mark.skipif(
    find_spec("torch") is None,
    reason="PyTorch is not installed here; these tests are part of the session conformance_torch: "
    "python3 -m nox -s conformance_torch",
)

OURS = "elastic_timer"
# Not PyTorch's own name: this module imports it without PyTorch's remark that there is no NumPy.
PYTORCHS = "elastic_timer_conformance.backends.torch_local"

# Seconds. PyTorch's server looks at its timers once in this time.
MAX_INTERVAL = 0.2
# What the healthy worker's blocks may take; then, longer, when the hung worker is to be reaped, so
# that a server that reaps it has passed the healthy one's deadline.
HEALTHY, HUNG = 2.0, 2.5
# For a process to start, import PyTorch and come to the point: two seconds, but a hundred on a
# machine with ten times as much to do as it has processors.
ENOUGH = 300.0

Start = Callable[..., BaseProcess]


def guard(implementation: str, queue: Any) -> Any:
    """In a worker: configure a client on the queue; return `expires`."""
    module = importlib.import_module(implementation)
    names = getattr(module, "api", module)
    names.configure(module.LocalTimerClient(queue))
    return names.expires


def hang(implementation: str, queue: Any, connection: Connection) -> None:
    """In a worker: never leave a block. Sends its deadline as monotonic time."""
    expires = guard(implementation, queue)
    before = time.monotonic()
    with expires(after=HUNG):
        connection.send(before + HUNG)
        time.sleep(3600)


def pass_through(implementation: str, queue: Any, connection: Connection) -> None:
    """In a worker: leave blocks, tell whether it was in time, and wait for leave to exit."""
    expires = guard(implementation, queue)
    before = time.monotonic()
    for scope in ("one", "two", None):
        with expires(after=HEALTHY, scope=scope), expires(after=HEALTHY, scope="inner"):
            pass
    connection.send(time.monotonic() < before + HEALTHY)
    connection.recv()


@pytest.fixture
def start() -> Iterator[Start]:
    """A function that starts a worker, whose process is ended with the test."""
    processes: list[BaseProcess] = []

    def start_worker(*args: Any) -> BaseProcess:
        function, *rest = args
        process = multiprocessing.get_context("spawn").Process(target=function, args=rest)
        processes.append(process)
        process.start()
        return process

    yield start_worker
    for process in processes:
        process.kill()
        process.join()


def receive(connection: Connection) -> Any:
    assert connection.poll(ENOUGH), f"the worker did not come to the point within {ENOUGH} s"
    return connection.recv()


@pytest.mark.parametrize(
    ("servers", "clients"),
    [(PYTORCHS, OURS), (OURS, PYTORCHS)],
    ids=["our client, PyTorch's server", "PyTorch's client, our server"],
)
def test_hung_worker_is_reaped_and_healthy_one_spared(
    start: Start, servers: str, clients: str
) -> None:
    queue: Any = multiprocessing.get_context("spawn").Queue()
    server = importlib.import_module(servers).LocalTimerServer(queue, MAX_INTERVAL)
    server.start()
    try:
        mine, theirs = multiprocessing.Pipe()
        healthy = start(pass_through, clients, queue, theirs)
        assert receive(mine), f"this machine took {HEALTHY} s to leave six blocks"
        hung_mine, hung_theirs = multiprocessing.Pipe()
        hung = start(hang, clients, queue, hung_theirs)
        deadline = receive(hung_mine)
        hung.join(ENOUGH)
        assert hung.exitcode == -signal.SIGKILL, "the hung worker was not reaped"
        assert time.monotonic() >= deadline, "the hung worker was reaped before its deadline"
        assert healthy.is_alive(), "the healthy worker was reaped"
        mine.send("leave")
        healthy.join(ENOUGH)
        assert healthy.exitcode == 0
    finally:
        server.stop()
        queue.close()

"""Either side of a named pipe may be PyTorch's: its server, its client, or a whole `torchrun`."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
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
PYTORCHS = "elastic_timer_conformance.backends.torch_file"

# Seconds. PyTorch's server looks at its timers once in this time.
MAX_INTERVAL = 0.1
# Seconds in the hung worker's block; and in the healthy ones', which are over before that on any
# machine that works, and whose timers never come to their end here.
HUNG, HEALTHY = 1.0, 3600.0
# For a process to start, import PyTorch and come to the point: two seconds, but a hundred on a
# machine with ten times as much to do as it has processors.
ENOUGH = 300.0

# One that PyTorch's JSON lines could not carry: ours carry it under a stand-in.
LONG_SCOPE = "\0" * 1024

CONTEXT = multiprocessing.get_context("spawn")
Start = Callable[..., BaseProcess]


def names_of(implementation: str) -> Any:
    module = importlib.import_module(implementation)
    return getattr(module, "timer", module)


def serve(implementation: str, path: str, connection: Connection) -> None:
    """In a process of its own, which PyTorch's server ends when it has reaped a worker: serve."""
    server = names_of(implementation).FileTimerServer(path, "interoperability", MAX_INTERVAL)
    server.start()
    connection.send("started")
    connection.recv()
    server.stop()


def guard(implementation: str, path: str) -> Any:
    """In a worker: configure a client; return the implementation's `expires`."""
    names = importlib.import_module(implementation)
    names = getattr(names, "api", names)
    names.configure(names_of(implementation).FileTimerClient(path))
    return names.expires


def hang(implementation: str, path: str, connection: Connection) -> None:
    """In a worker: never leave a block. Sends its deadline as monotonic time."""
    expires = guard(implementation, path)
    connection.send("ready")
    connection.recv()
    before = time.monotonic()
    with expires(after=HUNG):
        connection.send(before + HUNG)
        time.sleep(3600)


def pass_through(implementation: str, path: str, connection: Connection) -> None:
    """In a worker: leave blocks in time, under every deadline there is; then stay silent."""
    expires = guard(implementation, path)
    for scope in ("step", None, "step"):
        with expires(after=HEALTHY, scope=scope):
            pass
    if implementation == OURS:
        with expires(after=HEALTHY, scope=LONG_SCOPE):
            pass
    connection.send("left")
    connection.recv()


@pytest.fixture
def start() -> Iterator[Start]:
    """A function that starts a process with a connection to it: `process.connection`."""
    processes: list[BaseProcess] = []

    def start_one(target: Callable[..., None], *args: Any) -> BaseProcess:
        here, there = CONTEXT.Pipe()
        process = CONTEXT.Process(target=target, args=(*args, there))
        process.start()
        there.close()
        process.connection = here  # type: ignore[attr-defined]
        processes.append(process)
        return process

    yield start_one
    for process in processes:
        process.kill()
        process.join()


def hear(process: Any) -> Any:
    assert process.connection.poll(ENOUGH), f"nothing from {process.name} for {ENOUGH} s"
    return process.connection.recv()


@pytest.mark.parametrize(
    ("server", "client"),
    [(OURS, PYTORCHS), (PYTORCHS, OURS), (OURS, OURS)],
    ids=["pytorch's client", "pytorch's server", "both ours"],
)
def test_the_hung_worker_is_reaped_and_the_healthy_one_lives(
    start: Start, tmp_path: Path, server: str, client: str
) -> None:
    path = str(tmp_path / "pipe")
    serving: Any = start(serve, server, path)
    assert hear(serving) == "started"
    hung: Any = start(hang, client, path)
    healthy: Any = start(pass_through, client, path)
    assert hear(hung) == "ready"
    # From here on, a client that is alive and silent must not keep the server from judging.
    assert hear(healthy) == "left"
    hung.connection.send("go")
    deadline = hear(hung)
    hung.join(ENOUGH)
    assert hung.exitcode == -signal.SIGKILL
    assert time.monotonic() >= deadline
    assert healthy.is_alive()
    healthy.connection.send("go")
    healthy.join(ENOUGH)
    assert healthy.exitcode == 0
    if server == OURS:
        serving.connection.send("stop")
    serving.join(ENOUGH)
    # PyTorch's server does to itself what it does to workers.
    assert serving.exitcode == (0 if server == OURS else -signal.SIGKILL)


WORKER = """
import os, sys, time
import elastic_timer as timer

pids, hangs = sys.argv[1:]
timer.configure(timer.FileTimerClient(os.environ["TORCHELASTIC_TIMER_FILE"]))
for step in range(100):
    with timer.expires(after=3600):
        pass
with open(os.path.join(pids, os.environ["RANK"]), "w") as file:
    file.write(str(os.getpid()))
if os.environ["RANK"] == hangs:
    with timer.expires(after=0.5):
        time.sleep(3600)
"""


def run_torchrun(tmp_path: Path, hangs: str) -> tuple[int, list[bool]]:
    """Run two workers, of which one may hang; return the exit status and whether they are gone."""
    script = tmp_path / "worker.py"
    script.write_text(WORKER, "utf-8")
    pids = tmp_path / "pids"
    pids.mkdir()
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    process = subprocess.Popen(
        [*torchrun, str(script), str(pids), hangs],
        # The agent leaves its pipe in the directory for temporary files when it is killed.
        env={**os.environ, "TORCHELASTIC_ENABLE_FILE_TIMER": "1", "TMPDIR": str(tmp_path)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        status = process.wait(2 * ENOUGH)
        return status, [is_gone(int((pids / rank).read_text())) for rank in ("0", "1")]
    finally:
        # Workers have sessions of their own.
        for leader in [process.pid, *(int(file.read_text()) for file in pids.iterdir())]:
            if not is_gone(leader):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(leader, signal.SIGKILL)


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


def test_workers_under_torchrun_end_by_themselves(tmp_path: Path) -> None:
    status, gone = run_torchrun(tmp_path, hangs="none")
    assert status == 0
    assert gone == [True, True]


def test_a_worker_that_hangs_under_torchrun_is_reaped_by_its_agent(tmp_path: Path) -> None:
    # The agent runs PyTorch's server, which ends its own process after it has reaped a worker.
    status, gone = run_torchrun(tmp_path, hangs="1")
    assert status == -signal.SIGKILL
    assert gone == [True, True]

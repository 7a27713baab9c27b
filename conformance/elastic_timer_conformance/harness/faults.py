"""What a test may do to a host from within: shift its clock, hold it up, feed it, disarm it.

The functions that take an agent are commands for `Host.call`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from elastic_timer_conformance.harness import wall_clock
from elastic_timer_conformance.harness.host import Agent

__all__ = [
    "disarm",
    "hold_up_and_stop",
    "put_expired",
    "send_half",
    "send_raw",
    "signals_sent",
    "step_host_clock",
]


def step_host_clock(agent: Agent, seconds: float) -> None:
    """In the host: let the wall clock of the server's process jump."""
    wall_clock.step(seconds)


def hold_up_and_stop(agent: Agent, server: int, gate: str, until: float) -> None:
    """In the host: hold up every other thread until a monotonic time, then stop a server.

    Once they are held up, the file `gate` is made, so that others see it. It is as if the
    launcher were in a call of a C library that keeps the interpreter's lock. What is sent
    meanwhile cannot have been read when `stop` is called, by a server that is a thread.
    """
    # Unlike CDLL, PyDLL keeps the interpreter's lock while a function runs.
    libc = ctypes.PyDLL(None)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(3600)
    try:
        # Threads that wait by the interval that was valid before get their turn now.
        time.sleep(0.02)
        libc.close(libc.creat(os.fsencode(gate), 0o600))
        libc.poll(None, 0, max(int(1000 * (until - time.monotonic())) + 1, 0))
        agent.stop_server(server)
    finally:
        sys.setswitchinterval(interval)


# Broken clients ----------------------------------------------------------------------------------


def send_raw(agent: Agent, server: int, data: bytes) -> None:
    """In the host: write bytes into a server's transport."""
    agent.backend.send_raw(agent.servers[server], data)


def send_half(agent: Agent, server: int) -> None:
    """In the host: send a server half of a request, and stay there."""
    worker_id = agent.backend.worker_id(1)
    request = agent.backend.request(worker_id, "half of a scope", time.time() + 3600)
    agent.backend.send_part(agent.servers[server], request)


# Signals ----------------------------------------------------------------------------------------

_sent: list[tuple[int, int]] = []


def disarm(agent: Agent) -> None:
    """In the host: record signals, and refuse those that could hit more than a worker.

    Refused, as the kernel refuses them to others than root, are signals to every process, to
    init, to the host and to its process group. What `os` is asked for is seen by an audit hook,
    however it was imported; it stays, so the host is good for nothing else afterwards.
    """
    refused = {0, 1, -1, os.getpid(), -os.getpgrp()}

    def aim(target: int, number: int) -> None:
        if number != 0:  # 0 asks only whether the process exists
            _sent.append((target, number))
            if target in refused:
                raise PermissionError(f"signal {number} to {target}, which the suite refuses")

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "os.kill":
            aim(*args)
        elif event == "os.killpg":
            aim(-args[0], args[1])

    sys.addaudithook(hook)
    # No audit event is raised for this one.
    send = signal.pidfd_send_signal

    def pidfd_send_signal(descriptor: int, number: int, *args: Any) -> None:
        aim(_pid_of(descriptor), number)
        send(descriptor, number, *args)

    signal.pidfd_send_signal = pidfd_send_signal


def _pid_of(descriptor: int) -> int:
    for line in Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines():
        if line.startswith("Pid:"):
            return int(line.split()[1])
    raise ValueError(f"{descriptor} is not the descriptor of a process")


def signals_sent(agent: Agent) -> list[tuple[int, int]]:
    """In the host: return target, as in kill(2), and number of every signal since `disarm`."""
    return list(_sent)


def put_expired(agent: Agent, server: int, pids: list[int]) -> None:
    """In the host: send an opened server a timer that has expired, for each of these numbers."""
    opened = agent.opened[server]
    for pid in pids:
        worker_id = agent.backend.worker_id(pid)
        expiration_time = opened.clock.time() - 60
        opened.idle.put(agent.backend.request(worker_id, "scope", expiration_time))

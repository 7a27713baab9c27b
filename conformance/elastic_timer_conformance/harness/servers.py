"""Servers of one place, each in a process of its own that can be killed, suspended and replaced."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import time
from typing import Any

from elastic_timer_conformance.harness import faults
from elastic_timer_conformance.harness.death import Death
from elastic_timer_conformance.harness.host import Agent
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.process_state import STOPPED, wait_for_state
from elastic_timer_conformance.harness.processes import Host, Worker
from elastic_timer_conformance.harness.reaping import MAX_INTERVAL
from elastic_timer_conformance.workers import follow

__all__ = ["ServerProcess", "Servers"]


class ServerProcess:
    """A process that has tried to start a server. It records the signals that it sends."""

    def __init__(self, host: Host, pid: int, journal: Journal) -> None:
        self.pid = pid
        self.death = Death(pid)
        self._host = host
        self._journal = journal
        self._asked = 0

    def wait_started(self) -> None:
        """Wait until its server is started, or was refused."""
        self._entry()

    @property
    def refusal(self) -> tuple[list[str], str] | None:
        """The kinds of the error that starting the server raised and its text; None if none."""
        entry = self._entry()
        return (entry["kinds"], entry["text"]) if entry["kinds"] else None

    def kill(self) -> None:
        """End it by SIGKILL; return when it is dead."""
        self.death.signal(signal.SIGKILL)
        assert self.death.wait(self._host.allowance.signal)

    def suspend(self) -> None:
        """Stop it until `resume`."""
        self.death.signal(signal.SIGSTOP)
        wait_for_state(self.pid, STOPPED, self._host.allowance.signal)

    def resume(self) -> None:
        """Let it go on."""
        self.death.signal(signal.SIGCONT)

    def signals_to(self, pid: int) -> list[int]:
        """Return the signals that it has sent to a process until now."""
        self._asked += 1
        self._journal.open_gate(f"tell {self.pid} {self._asked}")
        timeout = self._host.allowance.signal
        told = self._journal.wait_for("signals", timeout, pid=self.pid, count=self._asked)
        return [number for target, number in told["sent"] if target == pid]

    def _entry(self) -> Any:
        return self._journal.wait_for(
            "server",
            self._host.allowance.startup,
            pid=self.pid,
            is_alive=lambda: self.death.at is None,
        )


class Servers:
    """The servers of one place, one after the other or, by mistake, several at a time.

    They are children of a host, which keeps no server itself, so that each costs a fork only.
    """

    def __init__(self, host: Host, place: Any, journal: Journal) -> None:
        self.host = host
        self.place = place
        self.journal = journal

    def begin(self) -> ServerProcess:
        """Begin to start one, and do not wait for that."""
        pid = self.host.call(serve_in_child, self.place, MAX_INTERVAL, self.journal.path)
        return ServerProcess(self.host, pid, self.journal)

    def start(self) -> ServerProcess:
        """Start one; return when it runs, or was refused."""
        server = self.begin()
        server.wait_started()
        return server

    def worker(self, *steps: tuple[Any, ...]) -> Worker:
        """Start a worker of this place that takes steps; see `workers.follow`."""
        return self.host.start_worker(follow, *steps, journal=self.journal, place=self.place)

    def pass_by(self, moment: float) -> None:
        """Return when whoever serves has judged all timers as of a time after this moment.

        As `Server.pass_by`, which says why it takes two.
        """
        for _ in range(2):
            after = max(moment - time.monotonic(), 0) + 0.02
            witness = self.worker(("acquire", "witness", after), ("hang",))
            witness.wait_for("acquiring")
            witness.wait_dead(after + MAX_INTERVAL + self.host.allowance.signal)


# In the host -------------------------------------------------------------------------------------


def serve_in_child(agent: Agent, place: Any, max_interval: float, journal: str) -> int:
    """Fork a process that starts a server at a place; return its number."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_serve, args=(agent, place, max_interval, Journal(journal)))
    process.start()
    assert process.pid is not None
    agent.processes[process.pid] = process
    return process.pid


def _serve(agent: Agent, place: Any, max_interval: float, journal: Journal) -> None:
    """Serve. Write `server`, with the error if that is refused, and `signals` when asked."""
    faults.disarm(agent)
    try:
        agent.start_replacement(place, max_interval)
    except Exception as error:
        kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
        journal.write("server", kinds=kinds, text=str(error))
        return
    journal.write("server", kinds=[], text="")
    for number in itertools.count(1):
        journal.wait_at_gate(f"tell {os.getpid()} {number}")
        journal.write("signals", sent=faults.signals_sent(agent))

"""The server of a run, in its host process, and what happens to both."""

from __future__ import annotations

import signal
import time
from enum import StrEnum
from typing import Any

from elastic_timer_spec.model.promises import Span

from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.faults import send_half, send_raw, step_host_clock
from elastic_timer_conformance.harness.garbage import GARBAGE
from elastic_timer_conformance.harness.hosts import Hosts
from elastic_timer_conformance.harness.processes import Host, HostError, Server
from elastic_timer_conformance.harness.reaping import MAX_INTERVAL

__all__ = ["Serving", "State"]


class State(StrEnum):
    """What a server is doing."""

    RUNS = "runs"
    SUSPENDED = "is suspended"
    STOPPED = "is stopped"
    DEAD = "is dead"


class Serving:
    """A server. With a place, it has a host of its own, which can be killed and replaced."""

    def __init__(self, backend: Backend, hosts: Hosts, *, outlived: bool) -> None:
        self._backend = backend
        self._hosts = hosts
        method = backend.start_methods[0]
        self.workers_host = hosts.borrow(method)
        """Whose children the workers are."""
        self.place: Any = None
        """Where the timers are, if they outlive the server."""
        self._stepped = 0.0
        if outlived:
            self.place = backend.new_place()
            self.host = hosts.borrow(method)
            self._server = self.host.start_replacement(self.place, MAX_INTERVAL)
        else:
            self.host = self.workers_host
            self._server = self.host.start_server(MAX_INTERVAL)
        self.state = State.RUNS
        self.since = time.monotonic()
        """Since when it has been doing that."""
        self.gaps: list[Span] = []
        """When it was stopped: nobody says what becomes of what is acquired meanwhile."""

    @property
    def runs(self) -> bool:
        """Whether it is to enforce timers."""
        return self.state is State.RUNS

    @property
    def is_reachable(self) -> bool:
        """Whether it can be told anything."""
        return self.state in (State.RUNS, State.STOPPED)

    @property
    def answers_for_workers(self) -> bool:
        """Whether workers can be started, and asked about when they are dead."""
        return self.workers_host is not self.host or self.state is not State.SUSPENDED

    @property
    def server(self) -> Server | None:
        """What workers talk to, unless they talk to whatever is at a place."""
        return None if self.place is not None else self._server

    @property
    def dead(self) -> list[Host]:
        """The host processes that have died although nobody wanted them to."""
        hosts = {self.workers_host.pid: self.workers_host}
        if self.state is not State.DEAD:
            hosts[self.host.pid] = self.host
        return [host for host in hosts.values() if not host.is_alive]

    def suspend(self) -> None:
        """Stop its process."""
        self.host.suspend()
        self._is_now(State.SUSPENDED)

    def resume(self) -> None:
        """Let its process go on."""
        self.host.resume()
        self._is_now(State.RUNS)

    def stop(self) -> None:
        """Stop it."""
        before = time.monotonic()
        self._server.stop()
        self._is_now(State.STOPPED)
        self.since = before

    def start(self) -> None:
        """Start it again."""
        self._server.restart()
        self.gaps.append(Span(self.since, time.monotonic()))
        self._is_now(State.RUNS)

    def kill(self) -> None:
        """Kill its process."""
        self.host.signal(signal.SIGKILL)
        self.host.death.wait(self.host.allowance.signal)
        self._is_now(State.DEAD)

    def replace(self) -> None:
        """Start another one for the same place, in another process."""
        self._hosts.give_back(self.host)
        self._stepped = 0.0
        self.host = self._hosts.borrow(self.host.start_method)
        self._server = self.host.start_replacement(self.place, MAX_INTERVAL)
        self._is_now(State.RUNS)

    def bring_up(self) -> None:
        """Have it run."""
        match self.state:
            case State.SUSPENDED:
                self.resume()
            case State.STOPPED:
                self.start()
            case State.DEAD:
                self.replace()

    def step_clock(self, seconds: float) -> None:
        """Let the wall clock of its process jump."""
        self.host.call(step_host_clock, seconds)
        self._stepped += seconds

    def send_garbage(self, kind: str) -> None:
        """Send it what is no request."""
        self.host.call(send_raw, self._server.number, GARBAGE[kind])

    def send_half(self) -> None:
        """Send it half of a request, and stay there."""
        self.host.call(send_half, self._server.number)

    def close(self) -> None:
        """Give back the hosts, as they were or dead."""
        try:
            if self.host.is_alive and self._stepped:
                self.host.resume()
                self.host.call(step_host_clock, -self._stepped)
        except HostError:
            self.host.signal(signal.SIGKILL)
        if self.place is not None:
            self._hosts.give_back(self.host)
        # Last, since it is lent first again: it has learnt how to start workers.
        self._hosts.give_back(self.workers_host)
        if self.place is not None:
            self._backend.remove_place(self.place)

    def _is_now(self, state: State) -> None:
        self.state = state
        self.since = time.monotonic()

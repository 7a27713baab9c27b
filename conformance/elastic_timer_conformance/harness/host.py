"""A host process: where the server runs and whose children the workers are, like an agent.

The test's side of the connection is `elastic_timer_conformance.harness.processes`, which has an
interpreter call `main`. A server may kill its own process, be stopped or be killed; none of this
may happen to the process that judges it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pkgutil
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from elastic_timer_conformance import workers
from elastic_timer_conformance.backend import Backend, IdleServer, NotOffered
from elastic_timer_conformance.backends import load_backend
from elastic_timer_conformance.clock import ControlledClock

__all__ = ["Agent", "Reply", "main"]

# What a fork server imports once instead of each worker again: what runs in workers, and, since
# some of that is beside the test that uses it, what tests import.
PRELOADED = (
    *(f"{workers.__name__}.{module.name}" for module in pkgutil.iter_modules(workers.__path__)),
    "elastic_timer_conformance.fixtures",
)

# Seconds that servers are granted to stop at the end of a test.
PATIENCE_WITH_SERVERS = 1.0


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a command: its result, or why there is none."""

    result: Any = None
    not_offered: str | None = None
    error: str | None = None


@dataclass
class OpenedServer:
    """An idle server, the clock that it goes by, and whom it has reaped, in order."""

    idle: IdleServer
    clock: ControlledClock
    reaped: list[Any] = field(default_factory=list)


class Agent:
    """What the host process knows. Its methods, and any function that takes it, are commands.

    Servers and queues are known to the test by number.
    """

    def __init__(self, spec: str, start_method: str) -> None:
        self.spec = spec
        self.backend: Backend = load_backend(spec)
        # An adapter makes queues and locks for the default start method; see Backend.
        multiprocessing.set_start_method(start_method)
        multiprocessing.set_forkserver_preload([*PRELOADED, type(self.backend).__module__])
        self.servers: dict[int, Any] = {}
        self.opened: dict[int, OpenedServer] = {}
        self.queues: dict[int, Any] = {}
        self.processes: dict[int, BaseProcess] = {}
        self._last_number = 0

    def start_server(self, max_interval: float) -> int:
        return self.keep_server(self.backend.start_server(max_interval))

    def start_replacement(self, place: Any, max_interval: float) -> int:
        return self.keep_server(self.backend.start_replacement(place, max_interval))

    def place(self, number: int) -> Any:
        return self.backend.place(self.servers[number])

    def keep_server(self, server: Any) -> int:
        """Take over a server that a command has started in some other way."""
        number = self._number()
        self.servers[number] = server
        return number

    def open_server(self, max_interval: float, reaps: bool | None) -> int:
        clock = ControlledClock()
        reaped: list[Any] = []

        def reap(worker_id: Any) -> bool:
            reaped.append(worker_id)
            return bool(reaps)

        number = self._number()
        idle = self.backend.idle_server(max_interval, clock, None if reaps is None else reap)
        self.opened[number] = OpenedServer(idle, clock, reaped)
        self.servers[number] = idle.server
        return number

    def open_queue(self) -> int:
        number = self._number()
        self.queues[number] = self.backend.open_queue()
        return number

    def stop_server(self, number: int) -> None:
        self.backend.stop_server(self.servers[number])

    def restart_server(self, number: int) -> None:
        self.backend.restart_server(self.servers[number])

    def run_watchdog(self, number: int) -> list[Any]:
        """Run one watchdog of an opened server; return whom it has reaped so far."""
        opened = self.opened[number]
        opened.idle.server._run_watchdog()
        return list(opened.reaped)

    def advance(self, number: int, seconds: float) -> None:
        self.opened[number].clock.advance(seconds)

    def timers(self, number: int) -> list[tuple[Any, str, float]]:
        """Return every timer in the table as worker id, scope and expiration time, sorted."""
        expired = self._whole_table(self.servers[number])
        return sorted(
            (request.worker_id, request.scope_id, request.expiration_time)
            for requests in expired.values()
            for request in requests
        )

    def start_worker(
        self,
        function: workers.WorkerFunction,
        source: int | None,
        journal: str,
        args: tuple[Any, ...],
        place: Any = None,
    ) -> int:
        """Start a worker with a client of the server, or the producer of the queue, `source`.

        With a place, its client is one of whatever server is there.
        """
        client = None
        if place is not None:
            client = self.backend.client_at(place)
        elif source in self.servers:
            client = self.backend.client(self.servers[source])
        elif source in self.queues:
            client = self.queues[source].producer
        setup = workers.Setup(self.spec, client, journal)
        process = multiprocessing.Process(target=workers.main, args=(function, setup, args))
        process.start()
        assert process.pid is not None
        self.processes[process.pid] = process
        return process.pid

    def exit_status(self, pid: int) -> int | None:
        """Return a dead worker's exit status, -N if signal N ended it."""
        process = self.processes[pid]
        process.join()
        return process.exitcode

    def clean_up(self) -> bool:
        """Forget everything; return whether the next test will find the host as new."""
        for process in self.processes.values():
            process.kill()
            process.join()
        running = [server for number, server in self.servers.items() if number not in self.opened]
        stopping = [
            threading.Thread(target=self.backend.stop_server, args=(server,), daemon=True)
            for server in running
        ]
        for thread in stopping:
            thread.start()
        # A server may take its whole interval. A new host is there sooner than that.
        end = time.monotonic() + PATIENCE_WITH_SERVERS
        for thread in stopping:
            thread.join(max(end - time.monotonic(), 0))
        for opened in reversed(self.opened.values()):
            opened.idle.close()
        for queue in self.queues.values():
            queue.close()
        for kept in (self.processes, self.servers, self.opened, self.queues):
            kept.clear()
        return not any(thread.is_alive() for thread in stopping)

    def _whole_table(self, server: Any) -> Any:
        # The table is its server's thread's, which may change it while we look: in each of these
        # attempts, if the server is wrong, and in hardly two of them otherwise.
        for _ in range(20):
            with contextlib.suppress(RuntimeError):
                return server.get_expired_timers(float("inf"))
        return server.get_expired_timers(float("inf"))

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number


def main(descriptor: int) -> None:
    """Be a host: carry out commands from a connection until its other side is closed."""
    connection = Connection(descriptor)
    make_agent, args = connection.recv()
    reply, agent = _carry_out(make_agent, args)
    connection.send(Reply() if agent is not None else reply)
    while agent is not None:
        try:
            command, args = connection.recv()
        except EOFError:
            return
        reply, _ = _carry_out(command, (agent, *args))
        connection.send(reply)


def _carry_out(command: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Reply, Any]:
    try:
        result = command(*args)
    except NotOffered as error:
        return Reply(not_offered=str(error)), None
    except Exception:
        return Reply(error=traceback.format_exc()), None
    return Reply(result=result), result

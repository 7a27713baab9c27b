"""The test's side of host processes: starting them, talking to them, seeing workers die."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import NotOffered
from elastic_timer_conformance.harness.death import Death, adopted_status, end_orphans
from elastic_timer_conformance.harness.host import Agent, Reply
from elastic_timer_conformance.harness.janitor import Janitor
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.process_state import STOPPED, wait_for_state
from elastic_timer_conformance.workers import follow

__all__ = ["Host", "HostDiedError", "HostError", "Server", "Worker"]

P = ParamSpec("P")
T = TypeVar("T")

# How often to look for processes that are about to end.
LOOK_AGAIN = 0.005


# The commands after which servers go on as they would without them.
LOOKING_ON = frozenset({Agent.start_server, Agent.start_worker, Agent.timers, Agent.exit_status})


class HostError(AssertionError):
    """A command failed in the host process; the message holds the traceback from there."""


class HostDiedError(HostError):
    """The host process, in which the server runs, is dead though nobody asked it to die."""


class Server:
    """A server in a host process."""

    def __init__(self, host: Host, number: int) -> None:
        self.host = host
        self.number = number

    def stop(self) -> None:
        """Stop it."""
        self.host.call(Agent.stop_server, self.number)

    def restart(self) -> None:
        """Start it again."""
        self.host.call(Agent.restart_server, self.number)

    def timers(self) -> list[tuple[Any, str, float]]:
        """Return its table: worker id, scope and expiration time of every timer, sorted."""
        return self.host.call(Agent.timers, self.number)

    def wait_for_timers(
        self,
        arrived: Callable[[list[tuple[Any, str, float]]], bool],
        otherwise: str = "the server's table is not as expected",
    ) -> None:
        """Wait until the table is as asked for.

        Raises AssertionError, which begins with the words `otherwise`, if that does not happen
        within the longest interval that the suite uses where it waits, 1 s, and the allowance.
        """
        timeout = 1.0 + self.host.allowance.signal
        end = time.monotonic() + timeout
        while not arrived(timers := self.timers()):
            if time.monotonic() >= end:
                raise AssertionError(f"{otherwise}, {timeout} s later; the table is {timers}")
            time.sleep(LOOK_AGAIN)

    def reach(self, journal: Journal) -> None:
        """Return when a request of a new worker, which stays alive, is in its table.

        The server waits for another one then, or is about to.
        """
        scope = f"reached {time.monotonic()}"
        steps = (("acquire", scope, 3600.0), ("hang",))
        self.host.start_worker(follow, *steps, journal=journal, server=self)
        self.wait_for_timers(lambda timers: scope in [timer[1] for timer in timers])

    def place(self) -> Any:
        """Return where its timers are kept, if they outlive it."""
        return self.host.call(Agent.place, self.number)

    def pass_by(self, moment: float, journal: Journal) -> None:
        """Return when it has judged all timers as of a time after this moment (monotonic).

        For tests of what may not happen: if it has not by then, it never will, however slow the
        machine is. Two workers are sacrificed: one whose timer expires after the moment, and,
        since both could be in one watchdog, another one after that. A server that dies over the
        first, or is dead already, judges no one any more.
        """
        for _ in range(2):
            after = max(moment - time.monotonic(), 0) + 0.02
            steps = (("acquire", "witness", after), ("hang",))
            try:
                witness = self.host.start_worker(follow, *steps, journal=journal, server=self)
            except HostDiedError:
                return
            # The interval is not known here; none of the suite's that pass this by is longer.
            end = time.monotonic() + self.host.allowance.startup + after + 1.0
            while not witness.death.wait(LOOK_AGAIN):
                if not self.host.is_alive:
                    return
                assert time.monotonic() < end, (
                    f"a worker with a timer of {after:.2f} s, which was to show that the server "
                    f"is at work, is alive {self.host.allowance.startup + 1.0:.1f} s later"
                )

    # For one from Host.open_server, which runs only when it is told to.

    def run_watchdog(self) -> list[Any]:
        """Run one watchdog; return the ids of the workers that it would have reaped so far."""
        return self.host.call(Agent.run_watchdog, self.number)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on its clock."""
        self.host.call(Agent.advance, self.number, seconds)

    def watch_until(
        self,
        arrived: Callable[[list[tuple[Any, str, float]]], bool],
        otherwise: str = "what the worker sent has not reached the server's table",
    ) -> Any:
        """Run watchdogs until the table is as asked for, and return it.

        Raises AssertionError, which begins with the words `otherwise`, if that does not happen
        within the allowance.
        """
        end = time.monotonic() + self.host.allowance.signal
        while True:
            self.run_watchdog()
            timers = self.timers()
            if arrived(timers):
                return timers
            if time.monotonic() >= end:
                raise AssertionError(
                    f"{otherwise}, {self.host.allowance.signal} s later; the table is {timers}"
                )


class Worker:
    """A worker process, a child of a host process.

    `server` is the one of its host that it talks to, if any. `was_signalled` tells whether the test
    has sent it a signal that may end it.
    """

    def __init__(
        self, host: Host, pid: int, journal: Journal, server: Server | None = None
    ) -> None:
        self.host = host
        self.server = server
        self.was_signalled = False
        self.pid = pid
        self.journal = journal
        self.death = Death(pid)
        self._status: int | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it has not been seen dead."""
        return self.death.at is None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.was_signalled |= number not in (signal.SIGSTOP, signal.SIGCONT)
        self.death.signal(number)

    def wait_for(self, event: str, timeout: float | None = None, count: int = 1) -> Any:
        """Wait for an entry of its own in the journal; by default as long as a start may take."""
        allowed = self.host.allowance.startup if timeout is None else timeout
        return self.journal.wait_for(
            event, allowed, pid=self.pid, count=count, is_alive=lambda: self.is_alive
        )

    def wrote(self) -> list[str]:
        """Return the events that it has written to its journal, in order."""
        return [entry["event"] for entry in self.journal.entries(pid=self.pid)]

    def wait_dead(self, timeout: float) -> float:
        """Return the monotonic time of its death.

        Raises AssertionError if it is alive after `timeout` seconds.
        """
        if not self.death.wait(timeout):
            raise AssertionError(
                f"the worker {self.pid} is alive {timeout:.1f} s later; it wrote {self.wrote()}"
            )
        assert self.death.at is not None
        return self.death.at

    def exit_status(self) -> int:
        """Return how the dead worker ended: its exit status, -N if signal N ended it.

        Raises NotOffered if nobody can know it any more.
        """
        if self._status is None:
            try:
                self._status = self.host.call(Agent.exit_status, self.pid)
            except HostDiedError:
                self._status = self.host.orphan_status(self.pid)
        if self._status is None:
            raise NotOffered(
                "the backend's server has ended its own process, and with it went the exit status "
                f"of a worker that was started by {self.host.start_method}"
            )
        return self._status


class Host:
    """A host process.

    It leads a process group of its own, which the janitor kills if the run ends early.
    """

    def __init__(
        self, spec: str, start_method: str, log: Path, allowance: Allowance, janitor: Janitor
    ) -> None:
        self.start_method = start_method
        self.allowance = allowance
        self.log = log
        self._janitor = janitor
        self._said_before = 0
        self.workers: list[Worker] = []
        self._disturbed: list[float] = []
        self._connection, theirs = multiprocessing.Pipe()
        # What servers leave in the file system when they are killed goes with their host.
        self._scratch = tempfile.TemporaryDirectory(prefix="host-", ignore_cleanup_errors=True)
        # Not a module that is run, as with `-m`: it would be imported again by every worker.
        program = f"from {Agent.__module__} import main; main({theirs.fileno()})"
        path = os.pathsep.join(p or "." for p in sys.path)
        with open(log, "wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": path, "TMPDIR": self._scratch.name},
                start_new_session=True,
            )
        self.pid = self._process.pid
        janitor.watch(self.pid)
        theirs.close()
        self.death = Death(self.pid)
        self._descriptor = os.pidfd_open(self.pid)
        self._exchange((Agent, (spec, start_method)), allowance.startup)

    def call(
        self, function: Callable[Concatenate[Agent, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a module-level function in the host, with its agent and these arguments.

        Raises HostError if it raises there, HostDiedError if the host dies over it.
        """
        assert not kwargs, "commands take positional arguments"
        self._note_disturbance(function)
        try:
            result: T = self._exchange((function, args), self.allowance.startup)
        finally:
            self._note_disturbance(function)
        return result

    def was_disturbed(self, start: float, end: float) -> bool:
        """Whether the test did more to the host between two monotonic times than look on."""
        return any(start <= moment <= end for moment in self._disturbed)

    def _note_disturbance(self, function: Any = None) -> None:
        if function not in LOOKING_ON:
            self._disturbed.append(time.monotonic())

    def start_server(self, max_interval: float) -> Server:
        """Start a server that looks at its timers every `max_interval` seconds at least."""
        return Server(self, self.call(Agent.start_server, max_interval))

    def start_replacement(self, place: Any, max_interval: float) -> Server:
        """Start a server for the timers at a place, which a server of another host has kept."""
        return Server(self, self.call(Agent.start_replacement, place, max_interval))

    def open_server(self, max_interval: float = 0.01, *, reaps: bool | None = True) -> Server:
        """Make a server that runs only when it is told to, on a clock that stands still.

        Its watchdog waits `max_interval` real seconds for requests; the default keeps that short.
        It reaps nobody: `reaps` tells whether reaping is said to succeed. None is for a server
        that does reap.
        """
        return Server(self, self.call(Agent.open_server, max_interval, reaps))

    def start_worker(
        self,
        function: Callable[..., None],
        *args: Any,
        journal: Journal,
        server: Server | None = None,
        queue: int | None = None,
        place: Any = None,
    ) -> Worker:
        """Start a worker that runs a function of `workers` and talks to a server or a queue.

        With a place, it talks to whatever server is there, in this host or in another.
        """
        assert server is None or server.host is self, "for a server elsewhere, give its place"
        source = server.number if server is not None else queue
        pid = self.call(Agent.start_worker, function, source, journal.path, args, place)
        worker = Worker(self, pid, journal, server)
        self.workers.append(worker)
        return worker

    @property
    def is_alive(self) -> bool:
        """Whether the host process has not been seen dead."""
        return self.death.at is None

    def signal(self, number: int) -> None:
        """Send the host process, and so the server in it, a signal."""
        self._note_disturbance()
        self.death.signal(number)

    def suspend(self) -> None:
        """Stop the host process, and so the server in it, until `resume`."""
        self.signal(signal.SIGSTOP)
        wait_for_state(self.pid, STOPPED, self.allowance.signal)

    def resume(self) -> None:
        """Let the host process go on."""
        self.signal(signal.SIGCONT)

    def exit_status(self) -> int:
        """Return the exit status of the host once it is dead, -N if signal N ended it."""
        return self._process.wait(self.allowance.signal)

    def said(self) -> str:
        """Return what the host and its workers have printed since it was new."""
        said = self.log.read_bytes()[self._said_before :]
        return said.decode(errors="replace")

    def orphan_status(self, pid: int) -> int | None:
        """Return the exit status of a dead worker whose host is dead, if it can be known."""
        self._process.wait(self.allowance.signal)
        with contextlib.suppress(ChildProcessError):
            return adopted_status(pid)
        return None

    def clean_up(self) -> bool:
        """Make the host as new; return whether that worked. If not, it is only to be closed."""
        self.signal(signal.SIGCONT)
        for worker in self.workers:
            worker.signal(signal.SIGKILL)
        try:
            as_new = self._exchange((Agent.clean_up, ()), self.allowance.signal)
        except HostError:
            return False
        if not as_new:
            return False
        end_orphans(self.pid)
        self.workers.clear()
        self._said_before = self.log.stat().st_size
        return True

    def close(self) -> None:
        """End the host and everything that it has started, unless that has been done."""
        if self._connection.closed:
            return
        self._connection.close()
        for worker in self.workers:
            worker.signal(signal.SIGKILL)
        # Left to themselves, the helpers of multiprocessing exit and free named semaphores; a
        # second is ample where nothing hangs, and what does hang need not be waited for.
        if not self._wait_until_empty(1.0):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._wait_until_empty(self.allowance.signal)
        self._janitor.forget(self.pid)
        os.close(self._descriptor)
        self._scratch.cleanup()

    def _wait_until_empty(self, timeout: float) -> bool:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self._process.poll() is not None:
                # Its orphans are ours: see death.adopt_orphans.
                with contextlib.suppress(ChildProcessError):
                    while os.waitpid(-self.pid, os.WNOHANG) != (0, 0):
                        pass
                try:
                    os.killpg(self.pid, 0)
                except ProcessLookupError:
                    return True
            time.sleep(LOOK_AGAIN)
        return False

    def _exchange(self, message: tuple[Any, ...], timeout: float) -> Any:
        with contextlib.suppress(BrokenPipeError):
            self._connection.send(message)
        # A forked worker holds the other end of the connection too, so its closing is no sign of
        # the host's death: the process descriptor is.
        ready = wait([self._connection, self._descriptor], timeout)
        reply = self._receive() if self._connection in ready else None
        if reply is None:
            if ready:
                status = self._process.wait(self.allowance.signal)
                self.death.wait(self.allowance.signal)  # so that `is_alive` says the same
                raise HostDiedError(
                    f"the host process, in which the server runs, has died: status {status}"
                )
            raise HostError(f"the host process did not answer within {timeout} s")
        if reply.not_offered is not None:
            raise NotOffered(reply.not_offered)
        if reply.error is not None:
            raise HostError("in the host process:\n" + reply.error)
        return reply.result

    def _receive(self) -> Reply | None:
        try:
            reply: Reply = self._connection.recv()
        except (EOFError, ConnectionResetError):
            return None
        return reply

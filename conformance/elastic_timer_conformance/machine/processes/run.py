"""A backend's own server and real workers in real time, one step at a time, beside the model."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from elastic_timer_conformance.backend import Backend, NotOffered
from elastic_timer_conformance.harness.hosts import Hosts
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.processes import HostDiedError, HostError
from elastic_timer_conformance.machine.difference import Difference
from elastic_timer_conformance.machine.processes.crew import Crew, Member
from elastic_timer_conformance.machine.processes.judge import Judge
from elastic_timer_conformance.machine.processes.serving import Serving, State
from elastic_timer_conformance.machine.processes.stage import SHORT
from elastic_timer_conformance.machine.trace import Step, action_of

__all__ = ["ProcessRun"]

# Numbers of the workers that are sacrificed in the end, to see that the server has come so far.
WITNESSES = (-1, -2)

# Seconds: what a witness's timer is, beyond what it has to outlast.
A_MOMENT = 0.02

# Seconds. A short timer is at least so long, and long enough for so many orders as the machine lets
# workers carry out just now: so that several steps are over before it expires, most of the time.
# At most, lest a machine that stands still makes a run endless. A long one outlasts every run.
SHORTEST = 0.1
ORDERS = 15
LONGEST = 3.0
LONG_TIME = 3600.0


# Seconds that a request may be on its way where that is not part of what is demanded: more than any
# short timer has.
GRACE = 10.0

OVER = "nothing more is compared: what they do not outlive has happened"


class ProcessRun:
    """One server, its workers and the model, which take the same steps.

    `patience` is how long in seconds a busy machine may take for anything that has to come.
    """

    def __init__(
        self,
        backend: Backend,
        hosts: Hosts,
        directory: Path,
        parts: Collection[str],
        patience: float,
    ) -> None:
        directory.mkdir()
        self._directory = directory
        self._backend = backend
        self._parts = parts
        self._patience = patience
        self._serving = Serving(backend, hosts, outlived="crash" in parts)
        self._crew = Crew(Journal(directory / "journal"), patience)
        grace = 0.0 if "in time" in parts else GRACE
        self._judge = Judge(backend, self._crew, self._serving, grace, patience)
        self._gates = 0
        # What the server, or the transport, is known not to survive has happened.
        self._is_over = False
        self._witnesses = [self._start(number) for number in WITNESSES]
        self._short = self._time_enough()

    def do(self, step: Step) -> str:
        """Take a step and compare; return what was seen, in a few words.

        Raises Difference if the backend is not as the model, TraceError if there is no such step.
        """
        seen = self._guarded(action_of(self, step))
        return str(seen or f"the server {self._serving.state}")

    def end(self) -> None:
        """Compare what takes time to show. Raises Difference."""
        self._guarded(self._end)

    def close(self) -> None:
        """End everything."""
        self._crew.close()
        self._serving.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _guarded(self, action: Callable[[], str | None]) -> str | None:
        """Take an action, unless nothing can be demanded any more, and judge what came of it."""
        if self._is_over:
            return OVER
        try:
            seen = action()
            self._judge.look()
        except HostDiedError:
            self._is_over = "survival" not in self._parts and bool(self._judge.reaped)
            if not self._is_over:
                seen = "the server was to live, and its process has died"
                raise Difference("server", seen) from None
        except HostError as error:
            last = str(error).strip().splitlines()[-1]
            raise Difference("raised", f"in the server's process: {last}") from error
        except Difference as difference:
            # A worker that was reaped while it sent may have taken the transport with it.
            waited = difference.kind in ("late", "stuck")
            self._is_over = waited and "kill" not in self._parts and bool(self._judge.reaped)
            if not self._is_over:
                raise
        return OVER if self._is_over else seen

    # Workers ------------------------------------------------------------------------------------

    def _do_start(self, workers: list[int]) -> str:
        if not self._serving.answers_for_workers:
            return self._not_now()
        for number in workers:
            if number not in self._crew.members:
                self._start(number)
        return f"{len(workers)} started"

    def _start(self, number: int) -> Member:
        serving = self._serving
        return self._crew.start(number, serving.workers_host, serving.server, serving.place)

    def _do_order(self, orders: list[dict[str, Any]]) -> str:
        given: list[tuple[Member, str]] = []
        for order in orders:
            for member in self._crew.chosen([order["worker"]]):
                if member.listens:
                    member.give(*self._words(order))
                    given.append((member, str(order["to"])))
        for member, what in given:
            if not member.is_told_to_end:
                self._wait_done(member, what)
        return f"{len(given)} orders given"

    def _wait_done(self, member: Member, what: str) -> None:
        """Wait until a worker has carried out its orders, or is dead."""
        refusals = [
            r.within for r in (self._backend.when_full, self._backend.when_unavailable) if r
        ]
        startup = self._serving.workers_host.allowance.startup
        entry = member.wait_done(self._patience + max(refusals, default=0.0) + startup)
        if self._serving.dead:
            raise HostDiedError("a host process has died")
        if entry is None and member.is_alive:
            raise Difference("stuck", f"{member.name} was to {what}, and does not end that")
        if entry and "refused" in entry and not self._may_be_refused(entry["refused"]):
            raise Difference(
                "raised",
                f"{member.name} was to {what}, and that raised "
                f"{entry['refused'][0]}: {entry['text']}",
                member.number,
            )

    def _may_be_refused(self, kinds: Sequence[str]) -> bool:
        """Return whether a call may have raised this: the backend documents it, for such a case."""
        documented = [self._backend.when_full]
        if not self._serving.runs:
            documented.append(self._backend.when_unavailable)
        errors = [refusal.error for refusal in documented if refusal is not None]
        return any(f"{error.__module__}.{error.__qualname__}" in kinds for error in errors)

    def _do_fork(self, worker: int, child: int) -> str:
        for parent in self._crew.chosen([worker]):
            if parent.listens and child not in self._crew.members:
                self._crew.fork(parent, child)
        return f"{len(self._crew.members)} workers"

    def _do_busy(self, workers: list[int]) -> None:
        for member in self._crew.chosen(workers):
            if member.listens:
                self._gates += 1
                member.be_busy(self._short, f"enough {self._gates}")

    def _do_rest(self, workers: list[int]) -> None:
        for member in self._crew.chosen(workers):
            if member.busy_until and member.is_alive and not member.is_stopped:
                member.rest()
                self._wait_done(member, "come to rest")

    def _do_kill(self, workers: list[int]) -> None:
        for member in self._crew.chosen(workers):
            member.kill(self._patience)

    def _do_stop(self, workers: list[int]) -> None:
        for member in self._crew.chosen(workers):
            if member.is_alive:
                member.stop(self._patience)

    def _do_continue(self, workers: list[int]) -> None:
        for member in self._crew.chosen(workers):
            if member.is_stopped:
                if member.busy_until:
                    member.rest()
                member.go_on()

    # The server ---------------------------------------------------------------------------------

    def _do_suspend_server(self) -> str:
        return self._from(State.RUNS, self._serving.suspend)

    def _do_resume_server(self) -> str:
        return self._from(State.SUSPENDED, self._serving.resume)

    def _do_stop_server(self) -> str:
        return self._from(State.RUNS, self._serving.stop)

    def _do_start_server(self) -> str:
        return self._from(State.STOPPED, self._serving.start)

    def _do_kill_server(self) -> str:
        if self._serving.place is None:
            raise NotOffered(f"the backend {self._backend.name!r} does not outlive its server")
        if self._serving.state is State.DEAD:
            return self._not_now()
        self._serving.kill()
        return ""

    def _do_replace_server(self) -> str:
        return self._from(State.DEAD, self._serving.replace)

    def _do_step_clock(self, ms: int) -> str:
        if not self._serving.is_reachable:
            return self._not_now()
        self._serving.step_clock(ms / 1000)
        return ""

    def _do_garbage(self, kind: str) -> str:
        return self._from(State.RUNS, lambda: self._serving.send_garbage(kind))

    def _do_half(self) -> str:
        return self._from(State.RUNS, self._serving.send_half)

    def _from(self, state: State, action: Any) -> str:
        if self._serving.state is not state:
            return self._not_now()
        action()
        return ""

    def _not_now(self) -> str:
        return f"not done: the server {self._serving.state}"

    # Time ---------------------------------------------------------------------------------------

    def _do_expire(self) -> str:
        """Let time pass until all short timers have expired and the late are reaped."""
        self._let_expire()
        self._judge.wait_for_the_late()
        return f"{len(self._judge.reaped)} reaped until now"

    def _let_expire(self) -> None:
        time.sleep(max(self._judge.last_deadline() - time.monotonic(), 0))

    def _end(self) -> None:
        if not self._serving.runs:
            # A server that comes back finds what has expired meanwhile, and what was released.
            self._let_expire()
            self._serving.bring_up()
        everybody = list(self._crew.members)
        self._do_continue(everybody)
        self._do_rest(everybody)
        self._judge.wait_for_the_late()
        for witness in self._witnesses:
            after = max(self._judge.last_deadline() - time.monotonic(), 0) + A_MOMENT
            witness.give("acquire", "witness", after)
            self._wait_done(witness, "acquire")
            self._judge.wait_for_the_late()
        self._judge.look()
        ending = [member for member in self._crew.members.values() if member.listens]
        for member in ending:
            member.give("end")
        for member in self._crew.members.values():
            if member.is_told_to_end and not member.death.wait(self._patience):
                seen = f"{member.name} was to end, and lives"
                raise Difference("stuck", seen, member.number)

    def _words(self, order: dict[str, Any]) -> Sequence[Any]:
        """Return an order as the worker takes it."""
        words = [order["to"]]
        if "scope" in order:
            words.append(order["scope"])
        if "time" in order:
            words.append(self._short if order["time"] == SHORT else LONG_TIME)
        return ["at once", order["then"], words] if "then" in order else words

    def _time_enough(self) -> float:
        """Return how many seconds a short timer is."""
        witness, _ = self._witnesses
        for _ in range(2):
            start = time.monotonic()
            witness.give("release", "nothing")
            self._wait_done(witness, "release what it does not hold")
        # The first time, it had to start.
        return min(max(SHORTEST, ORDERS * (time.monotonic() - start)), LONGEST)

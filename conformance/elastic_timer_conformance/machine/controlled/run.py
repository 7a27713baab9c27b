"""A backend's own server on a controlled clock, one step at a time, beside the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from elastic_timer_spec.model.timers import (
    Outcome,
    Release,
    Request,
    Table,
    Timer,
    after_reaping,
    cleared,
    expired_by,
    late,
    registered,
)

from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.clock import ControlledClock
from elastic_timer_conformance.harness.watched import WatchedServer
from elastic_timer_conformance.machine.difference import Difference
from elastic_timer_conformance.machine.trace import Step, TraceError, action_of

__all__ = ["REGISTERED", "SENDING", "STAND_INS", "ControlledRun"]

# Workers by the way that their requests go: through the queue, as clients send them, or handed to
# `register_timers`, as code does that brings a server of its own.
SENDING = (0, 1)
REGISTERED = (2, 3)
STAND_INS = len(SENDING) + len(REGISTERED) + 1

# The last worker is a witness. Before each watchdog it sends a timer that has expired, so that no
# watchdog waits for a request that does not come, on whatever transport; and it has to be reaped.
WITNESS = STAND_INS - 1


class ControlledRun:
    """One server and the model, which take the same steps.

    `pids` are numbers of living processes, `STAND_INS` of them. `patience` is how long in seconds
    a request may take to arrive where a thread or a pipe has to carry it.
    """

    def __init__(self, backend: Backend, pids: Sequence[int], patience: float) -> None:
        self._backend = backend
        self._clock = ControlledClock()
        self._watched = WatchedServer(backend, self._clock, patience)
        self._ids = [backend.worker_id(pid) for pid in pids]
        self._workers = {worker_id: number for number, worker_id in enumerate(self._ids)}
        # What the model has in its table, and what is on its way there.
        self._table: Table = ()
        self._unread: list[Request] = []
        # What times are shown relative to.
        self._origin = self._clock.time()
        # Milliseconds: since the beginning, and by which the wall clock was stepped.
        self._now = 0
        self._stepped = 0

    def end(self) -> None:
        """Everything has been compared."""

    def close(self) -> None:
        """Free what the server holds."""
        self._watched.close()

    def do(self, step: Step) -> str:
        """Take a step and compare; return what was seen, in a few words.

        Raises Difference if the backend is not as the model, TraceError if there is no such step.
        """
        action = action_of(self, step)
        try:
            seen = action()
        except (Difference, TraceError):
            raise
        except Exception as error:
            raise Difference("raised", f"it raised {type(error).__name__}: {error}") from error
        self._compare()
        return str(seen or f"{len(self._table)} timers in the table")

    # Steps ------------------------------------------------------------------------------------

    def _do_send(self, requests: list[dict[str, Any]]) -> str:
        for request in requests:
            made, wanted = self._made(request, SENDING, self._client_time())
            self._unread.append(wanted)
            self._watched.put(made)
        return f"{len(self._unread)} requests on their way"

    def _do_register(self, requests: list[dict[str, Any]]) -> None:
        made = [self._made(request, REGISTERED, self._clock.time()) for request in requests]
        self._watched.register(*(request for request, _ in made))
        self._table = registered(self._table, [wanted for _, wanted in made])

    def _do_clear(self, workers: list[int]) -> None:
        # Of the others, a request may be on its way, and nobody says what becomes of that.
        if not set(workers) <= set(REGISTERED):
            raise TraceError(f"only the workers {REGISTERED} can be cleared, not {workers}")
        self._watched.server.clear_timers({self._ids[worker] for worker in workers})
        self._table = cleared(self._table, workers)

    def _do_advance(self, ms: int) -> None:
        self._now += ms
        self._clock.advance(ms / 1000)

    def _do_step_wall_clock(self, ms: int) -> None:
        self._stepped += ms
        self._clock.step_wall(ms / 1000)

    def _do_watchdog(self, answers: dict[str, str]) -> str:
        expiration_time = self._client_time() - 1.0
        self._watched.put(self._backend.request(self._ids[WITNESS], "witness", expiration_time))
        witness = Timer(WITNESS, "witness", self._now - 1000, expiration_time)
        self._table = registered(self._table, [*self._unread, witness])
        self._unread.clear()
        outcomes = {int(worker): Outcome(answer) for worker, answer in answers.items()}
        for worker, outcome in outcomes.items():
            raises = RuntimeError("the machine lets reaping raise")
            answer = False if outcome is Outcome.FAILS else raises
            self._watched.answers[self._ids[worker]] = [answer]
        self._watched.settle()
        before = len(self._watched.reaped)
        self._watched.run_watchdog()
        self._watched.answers.clear()
        reaped = [self._workers.get(who, who) for who in self._watched.reaped[before:]]
        wanted = late(self._table, self._now)
        for worker in wanted:
            outcome = outcomes.get(worker, Outcome.REAPED)
            self._table = after_reaping(self._table, worker, outcome)
        if sorted(reaped, key=str) != sorted(wanted, key=str):
            raise Difference(
                "reaped",
                f"the watchdog was to reap the workers {_named(wanted)}, "
                f"and has reaped {_named(reaped)}",
            )
        return f"reaped {_named(reaped)}"

    # What is compared ---------------------------------------------------------------------------

    def _compare(self) -> None:
        """Compare the tables at every deadline that could make a difference."""
        # What is on its way may be in the table already, where a table is shared.
        visible = (*REGISTERED, WITNESS, *(() if self._unread else SENDING))
        table = self._wanted(visible, math.inf)
        self._compare_at(visible, math.inf, "table")
        for moment in sorted({expiration_time for _, _, expiration_time in table}):
            self._compare_at(visible, math.nextafter(moment, -math.inf), "deadline")
            self._compare_at(visible, moment, "deadline")
        self._compare_at(visible, math.inf, "asking")

    def _compare_at(self, visible: Sequence[int], deadline: float, kind: str) -> None:
        wanted = self._wanted(visible, deadline)
        try:
            found = self._found(visible, deadline)
        except AssertionError as error:
            raise Difference("asking", f"get_expired_timers: {error}") from None
        if found != wanted:
            what = "the table"
            if deadline < math.inf:
                what = f"what has expired by {self._shown_time(deadline)}"
            raise Difference(
                kind, f"{what} was to be {self._shown(wanted)}, and is {self._shown(found)}"
            )

    def _wanted(self, visible: Sequence[int], deadline: float) -> list[tuple[Any, str, float]]:
        return [
            (timer.worker, timer.scope, timer.expiration_time)
            for timer in expired_by(self._table, deadline)
            if timer.worker in visible
        ]

    def _found(self, visible: Sequence[int], deadline: float) -> list[tuple[Any, str, float]]:
        return sorted(
            (worker, scope, expiration_time)
            for worker_id, scope, expiration_time in self._watched.timers(deadline)
            # A worker that the machine does not know should not be there: it is shown.
            if (worker := self._workers.get(worker_id, worker_id)) in visible
            or worker not in range(STAND_INS)
        )

    def _shown(self, table: Sequence[tuple[Any, str, float]]) -> str:
        return (
            ", ".join(
                f"(worker {worker}, {scope!a}, {self._shown_time(expiration_time)})"
                for worker, scope, expiration_time in table
            )
            or "empty"
        )

    def _shown_time(self, expiration_time: float) -> str:
        # To the last bit: a difference may be no greater than that.
        return f"{expiration_time - self._origin:+.17g} s"

    # Requests -----------------------------------------------------------------------------------

    def _client_time(self) -> float:
        """Return the wall clock as clients read it, whom the server's jumps do not concern."""
        return self._clock.time() - self._stepped / 1000

    def _made(
        self, request: dict[str, Any], workers: Sequence[int], wall: float
    ) -> tuple[Any, Request]:
        """Return a request as the backend has it, and as the model has it."""
        worker, scope = request["worker"], request["scope"]
        if worker not in workers:
            raise TraceError(f"worker {worker} is none of {workers}")
        if "after" not in request:
            return self._watched.release(self._ids[worker], scope), Release(worker, scope)
        expiration_time = wall + request["after"]
        made = self._backend.request(self._ids[worker], scope, expiration_time)
        return made, Timer(worker, scope, self._now + 1000 * request["after"], expiration_time)


def _named(workers: Sequence[Any]) -> str:
    names = ["the witness" if worker == WITNESS else str(worker) for worker in workers]
    return f"[{', '.join(names)}]"

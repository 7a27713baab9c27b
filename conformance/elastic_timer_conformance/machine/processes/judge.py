"""Who of the workers may be dead, and who has to be."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from elastic_timer_spec.model.promises import Hold, Promises

from elastic_timer_conformance.backend import Backend, NotOffered
from elastic_timer_conformance.harness.account import promises_of
from elastic_timer_conformance.harness.processes import HostDiedError
from elastic_timer_conformance.harness.reaping import MAX_INTERVAL
from elastic_timer_conformance.machine.difference import Difference
from elastic_timer_conformance.machine.processes.crew import Crew, Member
from elastic_timer_conformance.machine.processes.serving import Serving
from elastic_timer_conformance.workers.flood import Ledger

__all__ = ["Judge"]

# Seconds. No run lasts so long, so a timer with more time left is not one that expires in it.
FAR = 600.0

# Seconds between two looks whether the server has died instead of the worker that is waited for.
LOOK_AGAIN = 0.05


class Judge:
    """Compares what became of workers with what they are owed.

    `grace` is how long in seconds a request may be on its way, `patience` how long a busy machine
    may take for what has to come.
    """

    def __init__(
        self, backend: Backend, crew: Crew, serving: Serving, grace: float, patience: float
    ) -> None:
        self.reaped: list[int] = []
        """The workers that were reaped rightly, in the order in which that was seen."""
        self._backend = backend
        self._crew = crew
        self._serving = serving
        self._grace = grace
        self._patience = patience
        self._judged: set[int] = set()

    def look(self) -> None:
        """Judge everybody who has died. Raises Difference, or HostDiedError if the server has."""
        if self._serving.answers_for_workers:
            for member in self._crew.members.values():
                if not member.is_alive and member.number not in self._judged:
                    self._judged.add(member.number)
                    self._judge(member)
        if self._serving.dead:
            raise HostDiedError("a host process has died")

    def wait_for_the_late(self) -> None:
        """Return when everybody who has to be reaped by now is. Raises Difference if one lives."""
        if not self._serving.runs:
            return
        promises = self._promises()
        for member in self._crew.members.values():
            for hold in self._due(promises, member):
                begin = max(hold.deadline, hold.acquire.returned, self._serving.since)
                self._wait_dead(member, hold, begin + MAX_INTERVAL + self._patience)
        self.look()

    def last_deadline(self) -> float:
        """Return the latest deadline of all that may expire in this run, 0 if there is none."""
        far = time.monotonic() + FAR
        deadlines = [hold.deadline for hold in self._promises().holds if hold.deadline < far]
        return max(deadlines, default=0.0)

    def _promises(self) -> Promises:
        return promises_of(self._crew.journal.entries(), self._grace)

    def _due(self, promises: Promises, member: Member) -> Iterator[Hold]:
        """Give the timers for which a living worker has to be reaped before long."""
        if not member.is_alive or member.is_killed:
            return
        far = time.monotonic() + FAR
        for hold in promises.holds:
            due = hold.due() if hold.worker == member.pid else None
            if due is None or hold.end is not None or hold.deadline >= far:
                continue
            if not any(
                gap.since <= hold.acquire.returned and hold.acquire.began <= gap.until
                for gap in self._serving.gaps
            ):
                yield hold

    def _wait_dead(self, member: Member, hold: Hold, end: float) -> None:
        while not member.death.wait(LOOK_AGAIN):
            if self._serving.dead:
                raise HostDiedError("a host process has died")
            if time.monotonic() >= end:
                raise Difference(
                    "late",
                    f"{member.name} was to be reaped for its timer {hold.scope!a}, and "
                    f"lives {time.monotonic() - hold.deadline:.2f} s after the deadline",
                    member.number,
                )

    def _judge(self, member: Member) -> None:
        died = member.death.at
        assert died is not None
        if member.is_killed:
            return
        try:
            status = member.exit_status()
        except NotOffered:
            # Its host has died and taken with it how it ended; so it counts as reaped if it may be.
            if not self._promises().may_be_reaped(member.pid, died):
                return
            status = -self._backend.reap_signal
        if status == -self._backend.reap_signal:
            promises = self._promises()
            ledger = Ledger(self._crew.journal, member.pid)
            if promises.may_be_reaped(member.pid, died) or ledger.excuses(died):
                self.reaped.append(member.number)
                return
            holds = [hold for hold in promises.holds if hold.worker == member.pid]
            early = any(hold.end is None and hold.deadline < died + FAR for hold in holds)
            raise Difference(
                "early" if early else "reaped",
                f"{member.name} was not to be reaped, and was: {_told(holds, died)}",
                member.number,
            )
        if not (member.is_told_to_end and status == 0):
            wanted = "end with status 0" if member.is_told_to_end else "live"
            raise Difference(
                "status",
                f"{member.name} was to {wanted}, and has ended with status {status}",
                member.number,
            )


def _told(holds: Sequence[Hold], died: float) -> str:
    """Return how it stood with a worker's timers at its death, the last ones first."""
    told = []
    for hold in reversed(holds):
        if hold.end is None:
            told.append(f"{hold.scope!a} had {hold.deadline - died:.3f} s left")
        else:
            spare = hold.deadline - hold.end.returned
            told.append(f"{hold.scope!a} was released or acquired anew {spare:.3f} s in time")
    return ", ".join(told[:3]) or "it has held no timer"

"""The workers of a run: they carry out orders, and write what they do into one journal."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

from elastic_timer_conformance.harness.death import Death, adopted_status
from elastic_timer_conformance.harness.journal import LOOK_AGAIN, Entry, Journal
from elastic_timer_conformance.harness.process_state import STOPPED, wait_for_state
from elastic_timer_conformance.harness.processes import Host, Server
from elastic_timer_conformance.workers.obeying import obey

__all__ = ["Crew", "Member"]


class Member:
    """One worker. What became of it that was the machine's will is noted on it."""

    def __init__(
        self, number: int, pid: int, journal: Journal, orders: int, status: Callable[[], int]
    ) -> None:
        self.number = number
        self.pid = pid
        self.journal = journal
        self.death = Death(pid)
        self.exit_status = status
        """Returns how the dead worker ended: its exit status, -N if signal N ended it."""
        self.is_killed = False
        self.is_stopped = False
        self.is_told_to_end = False
        self.is_deaf = False
        """Whether it hangs, and carries out no orders any more."""
        self.busy_until: str | None = None
        """The gate until which it holds one timer after the other."""
        self.given = 0
        """How many orders it was given that it says of when they are over."""
        self._orders = orders

    @property
    def name(self) -> str:
        """What to call it."""
        return f"worker {self.number}" if self.number >= 0 else "the witness, who came last,"

    @property
    def is_alive(self) -> bool:
        """Whether it has not been seen dead."""
        return self.death.at is None

    @property
    def listens(self) -> bool:
        """Whether it carries out orders at once."""
        return self.is_alive and not (
            self.is_stopped or self.is_deaf or self.is_told_to_end or self.busy_until
        )

    def give(self, *order: Any) -> None:
        """Give it an order; see `obey`."""
        os.write(self._orders, f"{json.dumps(order)}\n".encode())
        if order == ("end",):
            self.is_told_to_end = True
        else:
            self.given += 1
        self.is_deaf = order[0] == "at once"

    def wait_done(self, timeout: float) -> Entry | None:
        """Return its entry about the last order; None if it is dead, or does not write it."""
        end = time.monotonic() + timeout
        while True:
            # Asked first: what it has written before its death is found.
            alive = self.is_alive
            found = self.journal.entries("done", self.pid)
            if len(found) >= self.given:
                return found[self.given - 1]
            if not alive or time.monotonic() >= end:
                return None
            time.sleep(LOOK_AGAIN)

    def be_busy(self, after: float, gate: str) -> None:
        """Have it hold timers of `after` seconds until a gate is open."""
        self.busy_until = gate
        self.give("busy", after, gate)

    def stop(self, timeout: float) -> None:
        """Stop it until it is continued."""
        self.is_stopped = True
        self.death.signal(signal.SIGSTOP)
        wait_for_state(self.pid, STOPPED, timeout, is_alive=lambda: self.is_alive)

    def go_on(self) -> None:
        """Let it go on."""
        self.is_stopped = False
        self.death.signal(signal.SIGCONT)

    def kill(self, timeout: float) -> None:
        """Kill it."""
        # One that is dead already was not killed by this.
        self.is_killed = self.is_alive
        self.death.signal(signal.SIGKILL)
        self.death.wait(timeout)

    def rest(self) -> None:
        """Let it end being busy."""
        assert self.busy_until is not None
        self.journal.open_gate(self.busy_until)
        self.busy_until = None

    def close(self) -> None:
        """Give it no more orders."""
        os.close(self._orders)


class Crew:
    """The workers of a run, by the machine's numbers for them."""

    def __init__(self, journal: Journal, patience: float) -> None:
        self.journal = journal
        self.members: dict[int, Member] = {}
        self._patience = patience

    def start(self, number: int, host: Host, server: Server | None, place: Any) -> Member:
        """Start a worker."""
        path, orders = self._new_orders(number)
        worker = host.start_worker(obey, path, journal=self.journal, server=server, place=place)
        return self._join(Member(number, worker.pid, self.journal, orders, worker.exit_status))

    def fork(self, parent: Member, number: int) -> Member | None:
        """Have a worker fork another one; return that, or None if it did not come to it."""
        path, orders = self._new_orders(number)
        parent.give("fork", path)
        parent.wait_done(self._patience)
        forked = [e for e in self.journal.entries("forked") if e["orders"] == path]
        if not forked:
            os.close(orders)
            return None
        pid = forked[0]["pid"]
        child = Member(number, pid, self.journal, orders, lambda: adopted_status(pid))
        return self._join(child)

    def chosen(self, numbers: Sequence[int]) -> list[Member]:
        """Return the workers of these numbers, as far as there are such."""
        return [self.members[number] for number in numbers if number in self.members]

    def close(self) -> None:
        """Give no more orders."""
        for member in self.members.values():
            member.close()

    def _join(self, member: Member) -> Member:
        self.members[member.number] = member
        return member

    def _new_orders(self, number: int) -> tuple[str, int]:
        path = f"{self.journal.path}.orders.{number}"
        os.mkfifo(path, 0o600)
        # With a reader at hand, it can be opened and written to before the worker is there.
        return path, os.open(path, os.O_RDWR)

"""Seeing, at the end of a test, which of its workers were reaped, and how long after expiry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from elastic_timer_conformance.backend import Backend, NotOffered
from elastic_timer_conformance.harness.journal import Entry
from elastic_timer_conformance.harness.process_state import STOPPED, thread_states
from elastic_timer_conformance.harness.processes import Host, HostError, Worker
from elastic_timer_conformance.latency import Reap

__all__ = ["Account", "observed_reaps"]


def observed_reaps(host: Host, backend: Backend) -> Iterator[Reap]:
    """Give the reaps of the host's workers that its test has seen to the end.

    A worker counts if it has died of the backend's signal, which the test did not send, while it
    held a timer by its own account. What the account leaves open is decided in the backend's
    favour: a timer is fired early only if nothing that the worker may have sent had expired.
    """
    if not host.is_alive or STOPPED in thread_states(host.pid):
        return  # nobody can be asked how its workers have ended
    for worker in host.workers:
        died = worker.death.at
        if died is None or worker.was_signalled:
            continue
        account = Account.of(
            entry for entry in worker.journal.entries(pid=worker.pid) if entry["at"] <= died
        )
        if account.deadlines and _ended_by(worker, backend.reap_signal):
            late = died - min(account.deadlines)
            at_peace = worker.server is not None and not host.was_disturbed(account.since, died)
            yield Reap(late, undisturbed=at_peace and account.is_settled)


def _ended_by(worker: Worker, signal: int) -> bool:
    try:
        return worker.exit_status() == -signal
    except (HostError, NotOffered):
        return False


@dataclass
class Account:
    """The timers that a worker may have held when it died, by its entries in the journal."""

    armed: dict[str, float] = field(default_factory=dict)
    lapsed: list[float] = field(default_factory=list)
    """Deadlines that were over when the worker said that it had released or moved them."""
    sending: list[float] = field(default_factory=list)
    """Of an acquire that was begun; whether it was sent is not known, unless it is the only one."""
    since: float = 0.0
    """When the last timer was armed, or was about to be."""

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Account:
        """Return the account that a worker's entries give, up to its death."""
        account = cls()
        for entry in entries:
            account._read(entry)
        return account

    @property
    def deadlines(self) -> list[float]:
        """All at which the worker may have been reaped."""
        return [*self.armed.values(), *self.lapsed, *self.sending]

    @property
    def is_settled(self) -> bool:
        """Whether it is known what the worker held, and it was sent before any of it expired."""
        known = not self.lapsed and not (self.sending and self.armed)
        return known and min(self.deadlines) > self.since

    def _read(self, entry: Entry) -> None:
        scope = str(entry.get("scope"))
        match entry["event"]:
            case "acquiring":
                self.sending = [entry["deadline"]]
                self.since = entry["at"]
            case "acquire unless refused" if entry["refused"]:
                self.sending = []
            case "acquire" | "acquire unless refused" | "entered":
                self._forget(scope, entry["at"])
                self.armed[scope] = entry["deadline"]
                self.since = entry["at"]
                self.sending = []
            case "release":
                self._forget(scope, entry["at"])

    def _forget(self, scope: str, at: float) -> None:
        deadline = self.armed.pop(scope, None)
        if deadline is not None and deadline <= at:
            self.lapsed.append(deadline)

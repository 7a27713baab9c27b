"""Seeing, at the end of a test, which of its workers were reaped, and how long after expiry."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from elastic_timer_conformance.backend import Backend, NotOffered
from elastic_timer_conformance.harness.account import promises_of
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


@dataclass(frozen=True, slots=True)
class Account:
    """The timers that a worker may have been reaped for, by its entries in the journal."""

    deadlines: Sequence[float]
    since: float = 0.0
    """When the last of them was armed, or was about to be."""
    is_settled: bool = False
    """Whether it is known what the worker held, and it was sent before any of it expired."""

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Account:
        """Return the account that a worker's entries give, up to its death."""
        holds = [hold for hold in promises_of(entries).holds if hold.may_cost_a_life(math.inf)]
        if not holds:
            return cls([])
        deadlines = [hold.deadline for hold in holds]
        begun = [hold.acquire for hold in holds if hold.acquire.returned == math.inf]
        # Of an acquire that was only begun nobody knows whether it was sent, unless the worker
        # held nothing else that it could have been reaped for.
        is_known = all(hold.end is None for hold in holds) and (not begun or len(holds) == 1)
        times = [hold.acquire.began if begun else hold.acquire.returned for hold in holds]
        return cls(deadlines, max(times), is_known and min(deadlines) > max(times))

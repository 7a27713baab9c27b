"""What a server on a controlled clock owes: the timers that it should know, by their deadlines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Oracle", "OracleTimer"]


@dataclass(frozen=True, slots=True)
class OracleTimer:
    """A timer: its expiration time as given, and its deadline in milliseconds of the machine."""

    expiration_time: float
    deadline: float


@dataclass
class Oracle:
    """The table that a server should have.

    Workers are the machine's: 0, 1, 2, ...
    """

    timers: dict[tuple[Any, str], OracleTimer] = field(default_factory=dict)

    def acquire(self, worker: Any, scope: str, timer: OracleTimer) -> None:
        """Arm a timer, in place of an earlier one (SERVER-REGISTER, SERVER-REGISTER-REPLACE)."""
        self.timers[worker, scope] = timer

    def release(self, worker: Any, scope: str) -> None:
        """Disarm a timer, if it is armed (SERVER-REGISTER-RELEASE)."""
        self.timers.pop((worker, scope), None)

    def clear(self, workers: Collection[Any]) -> None:
        """Drop all timers of these workers (SERVER-CLEAR)."""
        self.timers = {key: timer for key, timer in self.timers.items() if key[0] not in workers}

    def watchdog(self, now: float, answers: Mapping[Any, str]) -> list[Any]:
        """Judge as of a time; return who is to be reaped, each once, sorted.

        Whoever is reaped, or for whom that raises, has no timers afterwards; whoever is not stays
        as it is (WATCHDOG-REAPED, WATCHDOG-REAP-RAISES, WATCHDOG-REAP-FAILED).
        """
        late = sorted({worker for (worker, _), t in self.timers.items() if t.deadline <= now})
        self.clear([worker for worker in late if answers.get(worker) != "fails"])
        return late

    def table(
        self, workers: Iterable[Any], expired_by: float = float("inf")
    ) -> list[tuple[Any, str, float]]:
        """Return the timers of these workers with an expiration time not after this, sorted."""
        wanted = set(workers)
        return sorted(
            (worker, scope, timer.expiration_time)
            for (worker, scope), timer in self.timers.items()
            if worker in wanted and timer.expiration_time <= expired_by
        )

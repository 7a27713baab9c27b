"""How long after their timers had expired workers were reaped, over all that a run has seen.

Whether that is soon enough is judged by the tests, with an allowance for a busy machine. These
figures stand beside the verdicts, so that nobody has to take the allowance for the latency.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Latency", "Reap"]


@dataclass(frozen=True, slots=True)
class Reap:
    """One worker that was reaped, `late` seconds after its timer had expired; before, if negative.

    `undisturbed` tells whether the server was left alone meanwhile. If the test had stopped it, or
    had its clock jump, the delay is the test's work and not the server's.
    """

    late: float
    undisturbed: bool

    @property
    def early(self) -> bool:
        """Whether the timer had not expired."""
        return self.late < 0


@dataclass(frozen=True, slots=True)
class Latency:
    """The summary. Times are in seconds, and None where there is no sample.

    `reaps` and `early` count every reap that was seen; the `samples` that `p50`, `p99` and `worst`
    are of are those that were undisturbed and not early. A percentile is the smallest sample that
    as many percent of all do not exceed (the nearest rank), so each was really measured.
    """

    reaps: int
    early: int
    samples: int
    p50: float | None
    p99: float | None
    worst: float | None

    @classmethod
    def of(cls, reaps: Iterable[Reap]) -> Latency:
        """Summarise what was seen."""
        seen = list(reaps)
        samples = sorted(reap.late for reap in seen if reap.undisturbed and not reap.early)
        return cls(
            reaps=len(seen),
            early=sum(reap.early for reap in seen),
            samples=len(samples),
            p50=_percentile(samples, 50),
            p99=_percentile(samples, 99),
            worst=_percentile(samples, 100),
        )

    @property
    def times(self) -> str:
        """How late, in words."""
        words = f"{self.samples} sample{'s' if self.samples != 1 else ''}"
        if self.samples == 1:
            return f"{words}, {_ms(self.worst)}"
        if self.samples:
            words += f", p50 {_ms(self.p50)}, p99 {_ms(self.p99)}, worst {_ms(self.worst)}"
        return words

    def __str__(self) -> str:
        """For one line: how late, and how many fired early of all that were seen."""
        return f"reaped after expiry: {self.times}; early firings {self.early} of {self.reaps}"


def _percentile(ordered: list[float], percent: int) -> float | None:
    return ordered[math.ceil(percent * len(ordered) / 100) - 1] if ordered else None


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"

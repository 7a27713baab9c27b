"""Statistics of samples that came in rounds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Summary", "percentile", "ratio", "summarise"]


@dataclass(frozen=True, slots=True)
class Summary:
    """What there is to say about all samples of one quantity of one entrant.

    ``low`` and ``high`` are the quartiles: half of the samples lie between them. ``round_low`` and
    ``round_high`` are the lowest and the highest median of a round: they tell how far the machine
    agreed with itself.
    """

    count: int
    median: float
    low: float
    high: float
    p99: float
    minimum: float
    maximum: float
    total: float
    round_low: float
    round_high: float


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that at least ``percent`` per cent of the samples do not exceed.

    It is a sample that was seen, so the 99th percentile of under 100 samples is the worst.

    Raises:
        ValueError: there are no samples, or ``percent`` is not between 0 and 100.
    """
    if not samples:
        raise ValueError("there is no percentile of no samples")
    if not 0 <= percent <= 100:
        raise ValueError(f"a percentile lies between 0 and 100, not at {percent!r}")
    rank = max(1, math.ceil(percent / 100 * len(samples)))
    return sorted(samples)[rank - 1]


def summarise(rounds: Sequence[Sequence[float]]) -> Summary:
    """Summarise samples that came in rounds; a round without any does not count.

    Raises:
        ValueError: there are no samples.
    """
    rounds = [samples for samples in rounds if samples]
    samples = [sample for samples in rounds for sample in samples]
    if not samples:
        raise ValueError("there is nothing to summarise")
    medians = [statistics.median(samples) for samples in rounds]
    return Summary(
        count=len(samples),
        median=statistics.median(samples),
        low=percentile(samples, 25),
        high=percentile(samples, 75),
        p99=percentile(samples, 99),
        minimum=min(samples),
        maximum=max(samples),
        total=math.fsum(samples),
        round_low=min(medians),
        round_high=max(medians),
    )


def ratio(value: float, reference: float) -> float:
    """Return ``value / reference``; infinite, or not a number, where there is nothing to divide."""
    if reference:
        return value / reference
    return math.nan if not value else math.copysign(math.inf, value)

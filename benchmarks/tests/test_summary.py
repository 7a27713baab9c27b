"""Statistics of samples that come in rounds."""

from __future__ import annotations

import math

import pytest

from benchmarks.harness.summary import percentile, ratio, summarise


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1.0), (25, 1.0), (50, 2.0), (75, 3.0), (99, 4.0), (100, 4.0)]
)
def test_a_percentile_is_a_sample_that_was_seen(percent: float, expected: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == expected


def test_one_of_a_hundred_samples_is_above_the_99th_percentile() -> None:
    assert percentile([float(n) for n in range(1, 101)], 99) == 99.0


def test_what_is_no_percentile_is_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 50)
    with pytest.raises(ValueError, match="between 0 and 100"):
        percentile([1.0], 101)


def test_a_summary_tells_of_samples_and_of_rounds() -> None:
    summary = summarise([[1.0, 2.0, 3.0], [], [10.0, 20.0, 30.0]])
    assert (summary.count, summary.total) == (6, 66.0)
    assert (summary.minimum, summary.median, summary.maximum) == (1.0, 6.5, 30.0)
    assert (summary.low, summary.high, summary.p99) == (2.0, 20.0, 30.0)
    assert (summary.round_low, summary.round_high) == (2.0, 20.0)


def test_nothing_has_no_summary() -> None:
    with pytest.raises(ValueError, match="nothing"):
        summarise([[], []])


def test_a_ratio_to_nothing_is_infinite_or_undefined() -> None:
    assert ratio(6.0, 3.0) == 2.0
    assert ratio(6.0, 0.0) == math.inf
    assert math.isnan(ratio(0.0, 0.0))

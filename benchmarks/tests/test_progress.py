"""The progress display counts, and estimates by what steps of the same kind took."""

from __future__ import annotations

import io

from benchmarks.harness.progress import Progress, duration


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_tells_the_step_and_what_is_left() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = Progress(["slow", "fast", "slow", "fast", "new"], stream, clock)
    progress.begin("the first")
    assert progress.estimate() is None
    clock.now += 60
    progress.end()
    progress.begin("the second")
    clock.now += 2
    progress.end()
    progress.begin("the third")
    # One more of each kind that is known, and one that takes what steps usually take.
    assert progress.estimate() == 60 + 2 + 31
    lines = stream.getvalue().splitlines()
    assert lines[0] == "[1/5] the first, 0:00 so far"
    assert lines[2] == "[3/5] the third, 1:02 so far, about 1:33 left"


def test_durations_are_minutes_and_seconds() -> None:
    assert [duration(seconds) for seconds in (0, 59.6, 3600)] == ["0:00", "1:00", "60:00"]

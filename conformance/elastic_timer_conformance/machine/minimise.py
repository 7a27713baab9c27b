"""Making a sequence of steps that fails shorter and plainer, for as long as it fails.

In the end no step can be left out, so what a failure is held against follows from the steps.

Hypothesis could do this too, on what it draws rather than on steps. It takes several times as many
runs, which is too many where a server is made for each and, with real processes, time passes; and
a trace that comes from a file could not be made shorter at all.

Source: the idea is that of A. Zeller and R. Hildebrandt, "Simplifying and Isolating
Failure-Inducing Input", IEEE Transactions on Software Engineering 28(2), 2002.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from elastic_timer_conformance.machine.difference import Difference
from elastic_timer_conformance.machine.trace import Step

__all__ = ["Failure", "Try", "minimised"]

Failure = tuple[list[Step], Difference]
"""Steps, the last of which shows a difference, and the difference."""

Try = Callable[[Sequence[Step]], Failure | None]
"""Takes steps from the beginning; returns those that it took if there is a difference."""


def minimised(
    found: Failure, again: Try, seconds: float, plainer: Callable[[Step], Iterator[list[Step]]]
) -> Failure:
    """Return a failure of which no step can be left out, as far as there was time to find out.

    `plainer` yields what may take the place of a step, the plainest first.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for candidate in _candidates(found[0], plainer):
            if time.monotonic() >= end:
                return found
            shorter = again(candidate)
            if shorter is not None:
                found = shorter
                break
        else:
            return found
    return found


def _candidates(
    steps: list[Step], plainer: Callable[[Step], Iterator[list[Step]]]
) -> Iterator[list[Step]]:
    """Yield sequences with less: many steps at once first, then single ones, then parts of one."""
    length = len(steps) // 2
    while length >= 1:
        for start in range(0, len(steps), length):
            yield steps[:start] + steps[start + length :]
        length //= 2
    for number, step in enumerate(steps):
        for instead in plainer(step):
            yield steps[:number] + instead + steps[number + 1 :]

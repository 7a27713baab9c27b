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


Plainer = Callable[[Step], Iterator[list[Step]]]
"""Yields what may take the place of a step, the plainest first."""


def minimised(found: Failure, again: Try, seconds: float, plainer: Plainer) -> Failure:
    """Return a failure of which no step can be left out, as far as there was time to find out."""
    end = time.monotonic() + seconds
    before = None
    while found is not before and time.monotonic() < end:
        before = found
        found = _with_plainer_steps(_with_fewer_steps(found, again, end), again, end, plainer)
    return found


def _with_fewer_steps(found: Failure, again: Try, end: float) -> Failure:
    """Leave out many steps at once first, then fewer, then single ones."""
    length = max(len(found[0]) // 2, 1)
    while length >= 1:
        start = 0
        while start < len(found[0]) and time.monotonic() < end:
            steps = found[0]
            shorter = again(steps[:start] + steps[start + length :])
            if shorter is None:
                start += length
            else:
                # What follows has moved up.
                found = shorter
        length //= 2
    return found


def _with_plainer_steps(found: Failure, again: Try, end: float, plainer: Plainer) -> Failure:
    """Put something plainer in the place of each step, for as long as there is something."""
    number = 0
    while number < len(found[0]):
        steps = found[0]
        for instead in plainer(steps[number]):
            if time.monotonic() >= end:
                return found
            simpler = again(steps[:number] + instead + steps[number + 1 :])
            if simpler is not None:
                found = simpler
                break
        else:
            number += 1
    return found

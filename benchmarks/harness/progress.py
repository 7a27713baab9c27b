"""What a run shows while it runs: what is measured, how far it is, and how long it may take."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import TextIO

__all__ = ["Progress", "duration"]


class Progress:
    """Shows the steps of a run, on one line of a terminal or else on a line each.

    Args:
        kinds: for every step that is to come, of what kind it is: steps of a kind take about the
            same time.
        stream: where to show it.
        clock: seconds.
    """

    def __init__(
        self,
        kinds: Sequence[Hashable],
        stream: TextIO = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._remaining = list(kinds)
        self._all = len(kinds)
        self._stream = stream
        self._clock = clock
        self._began = self._step_began = clock()
        self._taken: dict[Hashable, list[float]] = defaultdict(list)

    def begin(self, what: str) -> None:
        """Tell that the next step begins."""
        self._step_began = self._clock()
        number = self._all - len(self._remaining) + 1
        line = f"[{number:>{len(str(self._all))}}/{self._all}] {what}"
        line += f", {duration(self._step_began - self._began)} so far"
        left = self.estimate()
        if left is not None:
            line += f", about {duration(left)} left"
        if self._stream.isatty():
            self._stream.write(f"\r\x1b[K{line}")
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()

    def end(self) -> None:
        """Tell that the step has ended."""
        self._taken[self._remaining.pop(0)].append(self._clock() - self._step_began)
        if not self._remaining and self._stream.isatty():
            self._stream.write("\r\x1b[K")

    def estimate(self) -> float | None:
        """Return how many seconds are left, or ``None`` while nothing has been done yet."""
        taken = [seconds for kind in self._taken.values() for seconds in kind]
        if not taken:
            return None
        usual = sum(taken) / len(taken)
        return sum(
            sum(known) / len(known) if (known := self._taken.get(kind)) else usual
            for kind in self._remaining
        )


def duration(seconds: float) -> str:
    """Return a time as minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"

"""Does the suite find anything wrong, and does it insist?

A busy machine may make a test fail for no fault of the mutant's, so the test that has failed is run
once more, alone. Only if it fails again, the mutant is killed; otherwise the suite starts over.
What fails every time, if never in the same place twice, is killed as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .targets import TIMEOUTS
from .warm import Answer, Request

__all__ = ["NO_TEST", "Run", "judge"]

NO_TEST = "no test in particular"
"""What killed a mutant with which the suite could not begin, or did not end."""

_ATTEMPTS = 3

Run = Callable[[str, Request], Answer]
"""Has a backend judged."""


def judge(layer: str, backends: Sequence[str], first: Sequence[str], run: Run) -> str:
    """Return what has killed a mutant, or an empty text.

    Args:
        layer: the part of the suite.
        backends: what is judged, one after another.
        first: the tests that are likely to fail.
        run: has one of them judged.
    """
    found = (_judge(layer, backend, first, run) for backend in backends)
    return next(filter(None, found), "")


def _judge(layer: str, backend: str, first: Sequence[str], run: Run) -> str:
    timeout = TIMEOUTS[backend]
    failed = ""
    for _ in range(_ATTEMPTS):
        seen = run(backend, Request(layer, first, timeout=timeout))
        if seen.status == 0:
            return ""
        failed = seen.failed
        if not failed or run(backend, Request(layer, only=failed, timeout=timeout)).status != 0:
            break
    return failed or NO_TEST

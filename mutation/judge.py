"""Does the suite find anything wrong, and does it insist?

A busy machine may make a test fail for no fault of the mutant's, so the test that has failed is run
once more, alone. Only if it fails again, the mutant is killed; otherwise the suite starts over.
What fails every time, if never in the same place twice, is killed as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from elastic_timer_conformance.layer import Layer

from .warm import Answer, Request

__all__ = ["NO_TEST", "PARTS", "Run", "judge"]

NO_TEST = "no test in particular"
"""What killed a mutant with which the suite could not begin, or did not end."""

LIKELY = "likely"
PARTS = (LIKELY, *map(str, Layer))
"""What a mutant has to survive: the tests that killed others like it, which takes a second or so;
then what needs no worker processes, which takes seconds; then all others, which takes minutes."""

_ATTEMPTS = 3

Run = Callable[[str, Request], Answer]
"""Has a backend judged."""


def judge(part: str, backends: Sequence[str], likely: Sequence[str], run: Run) -> str:
    """Return what has killed a mutant, or an empty text.

    Args:
        part: one of :data:`PARTS`.
        backends: what is judged, one after another.
        likely: the tests that killed others like it.
        run: has one of them judged.
    """
    if part == LIKELY and not likely:
        return ""
    found = (_judge(part, backend, likely, run) for backend in backends)
    return next(filter(None, found), "")


def _judge(part: str, backend: str, likely: Sequence[str], run: Run) -> str:
    asked = Request("" if part == LIKELY else part, likely)
    failed = ""
    for _ in range(_ATTEMPTS):
        seen = run(backend, asked)
        if seen.status == 0:
            return ""
        failed = seen.failed
        if not failed or run(backend, Request(tests=[failed])).status != 0:
            break
    return failed or NO_TEST

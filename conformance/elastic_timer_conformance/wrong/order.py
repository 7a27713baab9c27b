"""In which order wrong backends are tried out."""

from __future__ import annotations

from collections.abc import Iterable

from elastic_timer_spec.suite_source import find_suite, read_suite

from elastic_timer_conformance.layer import Layer
from elastic_timer_conformance.wrong.catalogue import Entry

__all__ = ["longest_first"]


def longest_first(catalogue: Iterable[Entry]) -> list[Entry]:
    """Return the entries with the most process tests first, which take the most time.

    Begun last, one of them would be waited for alone, when all others are over.
    """
    tested = [
        set(test.requirements)
        for test in read_suite(find_suite()).tests
        if Layer.of(test.fixtures) is Layer.PROCESS
    ]

    def process_tests(entry: Entry) -> int:
        return sum(not requirements.isdisjoint(entry.broken) for requirements in tested)

    return sorted(catalogue, key=process_tests, reverse=True)

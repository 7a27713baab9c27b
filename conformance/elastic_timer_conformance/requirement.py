"""The mark that ties a test to the requirements it verifies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import pytest
from elastic_timer_spec.mark import Mark

__all__ = ["NOT_APPLICABLE", "marks_of", "not_applicable", "requirement"]

Test = TypeVar("Test", bound=Callable[..., Any])

# How the plugin tells an explicit "not applicable" from a skip that nobody answers for.
NOT_APPLICABLE = "not applicable: "


def requirement(*marks: str) -> Callable[[Test], Test]:
    """Say that a test verifies the requirements with these ids.

    One id is best: a failing test is held against every requirement that it names. The ids are
    checked against the specification when the tests are collected, and read from the source by
    the specification's traceability.

    An id may carry the digest of the statement that the test was held against, as in
    `@requirement("QUEUE-SIZE@0123abcd")`; in the suite itself it has to. When the statement is
    changed, the test fails until somebody has looked at it again. The command `python -m
    elastic_timer_spec reviewed` writes the digests.
    """
    if not marks:
        raise ValueError("a test verifies at least one requirement: @requirement('AREA-NAME')")
    mark: Callable[[Test], Test] = pytest.mark.requirement(*marks)
    return mark


def marks_of(node: pytest.Item) -> list[Mark]:
    """Return the marks of a test. Raises MarkError if one is not written as a mark is."""
    return [Mark.parse(text) for mark in node.iter_markers("requirement") for text in mark.args]


def not_applicable(reason: str) -> NoReturn:
    """End the running test: here it cannot tell anything, for this stated reason."""
    pytest.skip(NOT_APPLICABLE + reason)

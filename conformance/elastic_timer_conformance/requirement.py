"""The mark that ties a test to the requirements it verifies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import pytest

__all__ = ["NOT_APPLICABLE", "not_applicable", "requirement"]

Test = TypeVar("Test", bound=Callable[..., Any])

# How the plugin tells an explicit "not applicable" from a skip that nobody answers for.
NOT_APPLICABLE = "not applicable: "


def requirement(*ids: str) -> Callable[[Test], Test]:
    """Say that a test verifies the requirements with these ids.

    One id is best: a failing test is held against every requirement that it names. The ids are
    checked against the specification when the tests are collected, and read from the source by
    the specification's traceability.
    """
    if not ids:
        raise ValueError("a test verifies at least one requirement: @requirement('AREA-NAME')")
    mark: Callable[[Test], Test] = pytest.mark.requirement(*ids)
    return mark


def not_applicable(reason: str) -> NoReturn:
    """End the running test: here it cannot tell anything, for this stated reason."""
    pytest.skip(NOT_APPLICABLE + reason)

"""Who may be reaped, and who must be, follows from when calls began and returned."""

from __future__ import annotations

import doctest
import math

import pytest
from elastic_timer_spec.model import promises as module
from elastic_timer_spec.model.promises import Call, Promises, Span

ACQUIRED = Promises().acquired("w", "a", 10.0, Call(1.0, 2.0))


def test_the_examples() -> None:
    assert doctest.testmod(module).failed == 0


def test_who_holds_an_expired_timer_may_and_must_be_reaped() -> None:
    assert not ACQUIRED.may_be_reaped("w", math.nextafter(10.0, 0))
    assert ACQUIRED.may_be_reaped("w", 10.0)
    assert ACQUIRED.must_be_reaped("w") == [Span(10.0, math.inf)]


def test_nobody_else_may() -> None:
    assert not ACQUIRED.may_be_reaped("v", 20.0)
    assert ACQUIRED.must_be_reaped("v") == []


@pytest.mark.parametrize(
    ("call", "may", "must"),
    [
        (Call(8.0, 9.0), False, []),
        # Whoever is reaped while the call is under way may have been too late.
        (Call(9.0, 10.0), True, []),
        (Call(9.0), True, []),
        (Call(12.0, 13.0), True, [Span(10.0, 12.0)]),
    ],
)
def test_a_release_counts_from_its_return_and_against_the_worker_from_its_beginning(
    call: Call, may: bool, must: list[Span]
) -> None:
    released = ACQUIRED.released("w", "a", call)
    assert released.may_be_reaped("w", 20.0) is may
    assert released.must_be_reaped("w") == must
    # So does the next acquire of the same scope: what it arms itself has not expired yet.
    again = ACQUIRED.acquired("w", "a", 30.0, call)
    assert again.may_be_reaped("w", 20.0) is may
    armed = [Span(30.0, math.inf)] if call.returned < math.inf else []
    assert again.must_be_reaped("w") == [*must, *armed]


def test_a_timer_is_armed_when_acquire_has_returned() -> None:
    late = Promises().acquired("w", "a", 10.0, Call(11.0, 12.0))
    assert not late.may_be_reaped("w", 10.5)
    assert late.may_be_reaped("w", 11.0)
    assert late.must_be_reaped("w") == [Span(12.0, math.inf)]
    cut_short = Promises().acquired("w", "a", 10.0, Call(11.0))
    assert cut_short.may_be_reaped("w", 11.0)
    assert cut_short.must_be_reaped("w") == []


def test_scopes_are_independent() -> None:
    both = ACQUIRED.acquired("w", "b", 5.0, Call(3.0, 4.0)).released("w", "b", Call(4.0, 4.5))
    assert both.must_be_reaped("w") == [Span(10.0, math.inf)]
    assert not both.may_be_reaped("w", 9.0)


def test_releasing_what_is_not_held_changes_nothing() -> None:
    assert ACQUIRED.released("w", "b", Call(3.0, 4.0)) == ACQUIRED
    assert ACQUIRED.released("v", "a", Call(3.0, 4.0)) == ACQUIRED
    twice = ACQUIRED.released("w", "a", Call(3.0, 4.0))
    assert twice.released("w", "a", Call(12.0, 13.0)) == twice


def test_nothing_is_due_for_a_worker_that_has_ended_or_from_a_server_that_has_lost_its_timers() -> (
    None
):
    other = ACQUIRED.acquired("v", "a", 10.0, Call(1.0, 2.0))
    gone = other.gone("w", 5.0)
    assert (gone.must_be_reaped("w"), gone.must_be_reaped("v")) == ([], [Span(10.0, math.inf)])
    lost = other.lost(15.0)
    assert lost.must_be_reaped("w") == lost.must_be_reaped("v") == [Span(10.0, 15.0)]

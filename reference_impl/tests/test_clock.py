"""Instants: a wall-clock time that knows its deadline."""

from __future__ import annotations

import decimal
import math
import pickle

import pytest
from elastic_timer.clock import Instant, finite_seconds
from hypothesis import given
from hypothesis import strategies as st


def test_it_is_the_wall_clocks_time_to_those_who_know_no_better(clock):
    now = Instant.now(clock)
    assert now == clock.wall
    assert isinstance(now, float)
    assert now.monotonic == clock.mono


def test_later_moves_both_clocks(clock):
    later = Instant.now(clock).after(2.5)
    assert (float(later), later.monotonic) == (clock.wall + 2.5, clock.mono + 2.5)


def test_a_time_before_the_epoch_stays_an_expiration_time_and_keeps_its_deadline(clock):
    past = Instant.now(clock).after(-2 * clock.wall)
    assert past == 0.0
    assert past.monotonic == clock.mono - 2 * clock.wall


def test_a_plain_time_is_converted_by_what_the_clocks_say_now(clock):
    assert Instant.of(clock.wall + 7.0, clock).monotonic == clock.mono + 7.0


def test_an_instant_is_not_converted_again_after_the_wall_clock_jumped(clock):
    expiration = Instant.now(clock).after(7.0)
    clock.wall += 3600.0
    assert Instant.of(expiration, clock) is expiration


@given(st.floats(0, 1e12), st.floats(-1e9, 1e9))
def test_it_travels_between_processes_to_the_last_bit(epoch, monotonic):
    instant = Instant(epoch, monotonic)
    copy = pickle.loads(pickle.dumps(instant))
    assert type(copy) is Instant
    assert (copy, copy.monotonic) == (epoch, monotonic)


@pytest.mark.parametrize("value", [3, 0.5, -1, True, decimal.Decimal("0.25")])
def test_numbers_of_every_kind_are_seconds(value):
    assert finite_seconds(value, "after") == float(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_what_is_not_finite_is_refused_with_the_value(value):
    with pytest.raises(ValueError, match="after must be a finite number of seconds, not "):
        finite_seconds(value, "after")


@pytest.mark.parametrize("value", ["5", None, [1], b"1"])
def test_what_is_no_number_is_refused_with_the_value(value):
    with pytest.raises(TypeError, match="after must be a number of seconds, not "):
        finite_seconds(value, "after")

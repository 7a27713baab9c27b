"""Requests as lines of bytes: what goes in comes out, whatever else is in the pipe."""

from __future__ import annotations

import math
import struct

import pytest
from elastic_timer.api import TimerRequest
from elastic_timer.clock import Instant
from elastic_timer.line_reader import _LONGEST_LINE
from elastic_timer.request_line import _KNOWN_TIMERS, RequestReader, request_line
from elastic_timer.worker import WorkerId
from hypothesis import given
from hypothesis import strategies as st

SCOPES = st.text(st.characters(exclude_categories=[]))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ACQUIRES = st.builds(
    TimerRequest,
    st.builds(WorkerId, st.integers(-(2**31), 2**31), st.integers(0, 2**60)),
    SCOPES,
    st.builds(Instant, st.floats(0, 1e300), FINITE),
)
RELEASES = st.builds(
    TimerRequest, st.integers(-(2**31), 2**31), SCOPES, st.floats(-1e300, 0, exclude_max=True)
)
REQUESTS = st.lists(ACQUIRES | RELEASES, max_size=5)


def everything(request: TimerRequest) -> tuple[object, ...]:
    """All that a request carries, its riders included."""
    return (
        request.worker_id,
        getattr(request.worker_id, "start_time", 0),
        request.scope_id,
        request.expiration_time,
        getattr(request.expiration_time, "monotonic", None),
    )


@given(REQUESTS, st.integers(1, 7))
def test_requests_come_out_as_they_went_in_however_they_are_cut_up(requests, piece):
    reader = RequestReader()
    data = b"".join(map(request_line, requests))
    received = []
    for start in range(0, len(data), piece):
        found, malformed = reader.feed(data[start : start + piece])
        assert not malformed
        received += found
    assert list(map(everything, received)) == list(map(everything, requests))


@given(REQUESTS, st.binary(max_size=60), REQUESTS)
def test_foreign_bytes_cost_no_request_before_or_after_them(before, foreign, after):
    reader = RequestReader()
    data = b"".join(map(request_line, before)) + foreign + b"".join(map(request_line, after))
    received, malformed = reader.feed(data)
    numbers = list(map(everything, received))
    assert numbers[: len(before)] == list(map(everything, before))
    assert not after or numbers[-len(after) :] == list(map(everything, after))
    # Every foreign line is accounted for; it may even happen to be a request of its own.
    foreign_lines = len([line for line in foreign.split(b"\n") if line])
    if after:
        assert len(malformed) + len(received) - len(before) - len(after) == foreign_lines


@given(st.lists(st.binary(max_size=100)))
def test_no_bytes_make_the_reader_raise(pieces):
    reader = RequestReader()
    for piece in pieces:
        for request in reader.feed(piece)[0]:
            assert not math.isnan(request.expiration_time)


def line(kind=b"timer ", worker=(7, 3), times=(1000.0, 5.0), scope=b"scope", length=None):
    """A line with whatever is to be wrong about it; what is to be escaped is not."""
    length = len(scope) if length is None else length
    return struct.pack(">dd6sqqH", *times, kind, *worker, length) + scope


def test_a_line_is_what_it_is_said_to_be():
    request = TimerRequest(WorkerId(7, 3), "scope", Instant(1000.0, 5.0))
    assert request_line(request) == b"\n" + line() + b"\n"


@pytest.mark.parametrize(
    ("malformed", "cause"),
    [
        (b"timer 1 2 3.0 4.0 scope", "shorter than any request"),
        (line()[:-3], "its scope has 2 bytes and was to have 5"),
        (line() + b"!", "its scope has 6 bytes and was to have 5"),
        (line(times=(math.nan, 5.0)), "not a number"),
        (line(times=(3.0, math.nan)), "not a number"),
        (line(times=(math.inf, 5.0)), "not a number"),
        (line(times=(3.0, -math.inf)), "not a number"),
        (line(scope=b"\xff"), "decode"),
        (line(scope=b"scop\x10"), "an escape that means nothing"),
        (line(scope=b"\x10scop"), "an escape that means nothing"),
        (line(kind=b"timing"), "does not say that it is about a timer"),
    ],
)
def test_a_line_that_is_no_request_is_reported_with_its_bytes(malformed, cause):
    requests, (error,) = RequestReader().feed(b"\n" + malformed + b"\n")
    assert not requests
    assert error.data == malformed
    assert cause in str(error)


def test_a_line_that_never_ends_is_given_up_and_reported():
    reader = RequestReader()
    request = TimerRequest(7, "a", -1.0)
    _, malformed = reader.feed(b"x" * (_LONGEST_LINE + 1))
    assert len(malformed) == 1
    assert reader.feed(request_line(request))[0] == [request]


def test_a_worker_that_is_met_again_has_the_same_id_object():
    reader = RequestReader()
    line = request_line(TimerRequest(WorkerId(7, 3), "a", -1.0))
    (first, second), _ = reader.feed(line + line)
    assert first.worker_id is second.worker_id


def test_more_timers_than_are_kept_for_reuse_are_told_apart_all_the_same():
    reader = RequestReader()
    requests = [
        TimerRequest(WorkerId(number // 3, 3), f"scope {number}", time)
        for number in range(2 * _KNOWN_TIMERS)
        for time in (Instant(1000.0, 5.0), -1.0)
    ]
    received, malformed = reader.feed(b"".join(map(request_line, requests)))
    assert not malformed
    assert list(map(everything, received)) == list(map(everything, requests))


def test_releases_that_are_alike_are_the_same_object():
    reader = RequestReader()
    release = request_line(TimerRequest(WorkerId(7, 3), "a", -1.0))
    (first, second), _ = reader.feed(release + release)
    assert first is second
    for number in range(5000):
        reader.feed(request_line(TimerRequest(WorkerId(7, 3), str(number), -1.0)))
    assert len(reader._releases) <= 4096, "no more are kept, however many there are"


def test_a_plain_expiration_time_gets_its_deadline_when_it_is_sent():
    before = Instant.now()
    (request,), _ = RequestReader().feed(request_line(TimerRequest(7, "a", before + 5.0)))
    after = Instant.now()
    assert request.expiration_time == before + 5.0
    # The wall clock may be slewed while it is read; a millisecond is a generous share of that.
    assert before.monotonic + 5.0 - 1e-3 <= request.expiration_time.monotonic
    assert request.expiration_time.monotonic <= after.monotonic + 5.0 + 1e-3


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (TimerRequest("worker", "a", 1.0), TypeError),
        (TimerRequest(7, b"a", 1.0), TypeError),
        (TimerRequest(7, "a", math.nan), ValueError),
        (TimerRequest(2**63, "a", 1.0), ValueError),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_request(request_, error):
    with pytest.raises(error, match=r"TimerRequest\("):
        request_line(request_)

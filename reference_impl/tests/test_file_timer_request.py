"""Requests as lines of JSON: PyTorch's fields, ours beside them, and whatever else is sent."""

from __future__ import annotations

import json
import math
import select
import signal

import pytest
from elastic_timer import FileTimerRequest, TimerRequest
from elastic_timer.clock import Instant
from elastic_timer.file_timer_request import FileRequestReader
from elastic_timer.line_reader import _KNOWN_RELEASES, _LONGEST_LINE
from elastic_timer.worker import WorkerId
from hypothesis import given
from hypothesis import strategies as st

SCOPES = st.text(st.characters(exclude_categories=[]), max_size=400)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SIGNALS = st.integers(-1, signal.NSIG - 1)
ACQUIRES = st.builds(
    FileTimerRequest,
    st.builds(WorkerId, st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**63 - 1)),
    SCOPES,
    st.builds(Instant, st.floats(0, 1e300), FINITE),
    SIGNALS,
)
PYTORCHS = st.builds(FileTimerRequest, st.integers(1, 2**22), SCOPES, FINITE, SIGNALS)
REQUESTS = st.lists(ACQUIRES | PYTORCHS, max_size=5)

FIELDS = {"version": 1, "pid": 7, "scope_id": "a", "expiration_time": 1.5, "signal": 9}


def line_of(request: FileTimerRequest) -> bytes:
    return request.to_json().encode("ascii") + b"\n"


def everything(request: FileTimerRequest) -> tuple[object, ...]:
    """All that a request carries, its riders included."""
    return (
        request.version,
        request.worker_pid,
        getattr(request.worker_id, "start_time", 0),
        request.scope_id,
        request.expiration_time,
        getattr(request.expiration_time, "monotonic", None),
        request.signal,
    )


def test_a_request_of_plain_values_is_written_as_pytorch_writes_it():
    request = FileTimerRequest(7, 'a "b"\n', 1.5, signal.SIGTERM)
    assert json.loads(request.to_json()) == {
        "version": 1,
        "pid": 7,
        "scope_id": 'a "b"\n',
        "expiration_time": 1.5,
        "signal": 15,
    }
    assert list(json.loads(request.to_json())) == list(FIELDS)


@given(ACQUIRES | PYTORCHS)
def test_a_line_is_what_the_json_module_writes(request_):
    line = request_.to_json()
    assert json.dumps(json.loads(line)) == line


def test_start_time_and_deadline_ride_along():
    request = FileTimerRequest(WorkerId(7, 3), "a", Instant(1.5, 2.5), 9)
    assert json.loads(request.to_json()) == {**FIELDS, "deadline": 2.5, "start_time": 3}


def test_fields_and_equality_are_those_of_pytorch():
    request = FileTimerRequest(worker_pid=7, scope_id="a", expiration_time=1.5)
    assert (request.version, request.worker_pid, request.worker_id, request.signal) == (1, 7, 7, 0)
    assert request == FileTimerRequest(7, "a", 1.5, 0)
    assert request != FileTimerRequest(7, "a", 1.5, 9)
    assert request != TimerRequest(7, "a", 1.5)
    assert repr(request).endswith("expiration_time=1.5, signal=0)")


@given(REQUESTS, st.integers(1, 50))
def test_requests_come_out_as_they_went_in_however_they_are_cut_up(requests, piece):
    reader = FileRequestReader()
    data = b"".join(map(line_of, requests))
    received = []
    for start in range(0, len(data), piece):
        found, malformed = reader.feed(data[start : start + piece])
        assert not malformed
        received += found
    assert list(map(everything, received)) == list(map(everything, requests))


@given(REQUESTS, st.binary(max_size=60), REQUESTS)
def test_foreign_bytes_cost_no_request_before_or_after_them(before, foreign, after):
    reader = FileRequestReader()
    data = b"".join(map(line_of, before)) + foreign + b"".join(map(line_of, after))
    received, _ = reader.feed(data)
    found = list(map(everything, received))
    assert found[: len(before)] == list(map(everything, before))
    assert not after or found[-len(after) :] == list(map(everything, after))


@given(ACQUIRES | PYTORCHS, st.integers(1, 10_000), ACQUIRES | PYTORCHS)
def test_a_request_that_breaks_off_costs_no_other(broken, length, whole):
    half = line_of(broken)[:-1][:length]
    reader = FileRequestReader()
    (received,), malformed = reader.feed(half[: len(half) - 1] + line_of(whole))
    assert everything(received) == everything(whole)
    assert sum(len(each.data) for each in malformed) == len(half) - 1


@given(st.lists(st.binary(max_size=100)))
def test_no_bytes_make_the_reader_raise(pieces):
    reader = FileRequestReader()
    for piece in pieces:
        for request in reader.feed(piece)[0]:
            assert math.isfinite(request.expiration_time)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.sampled_from([*FIELDS, "deadline", "start_time", "scope_base64"]), JSON)
def test_a_field_of_any_value_gives_a_sound_request_or_a_report(name, value):
    line = json.dumps({**FIELDS, name: value}).encode() + b"\n"
    requests, malformed = FileRequestReader().feed(line)
    assert len(requests) + len(malformed) == 1
    for request in requests:
        assert -(2**31) <= request.worker_id < 2**31
        assert request.signal in range(-(2**31), signal.NSIG)
        assert math.isfinite(request.expiration_time)
        assert isinstance(request.scope_id, str)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=1024))
def test_a_scope_of_a_kibibyte_fits_into_a_pipe_whatever_is_in_it(scope):
    scope = scope.encode()[:1024].decode(errors="ignore")
    longest = FileTimerRequest(
        WorkerId(-(2**31), 2**63 - 1), scope, Instant(1.7976931348623157e308, -5e-324), 64
    )
    assert len(line_of(longest)) <= select.PIPE_BUF


@pytest.mark.parametrize(
    "scope", ["\0" * 1024, "\n" * 2600, "\ud83d\ude00", "é" * 1300, "x" * 3600]
)
def test_scopes_that_json_would_make_too_long_or_change_arrive_as_they_are(scope):
    acquire, release = FileTimerRequest(7, scope, 1e9 / 7, 9), FileTimerRequest(7, scope, -1)
    assert max(len(line_of(acquire)), len(line_of(release))) <= select.PIPE_BUF
    assert FileRequestReader().feed(line_of(acquire) + line_of(release))[0] == [acquire, release]
    # To a server of PyTorch's, both are about the same timer.
    scopes = {json.loads(request.to_json())["scope_id"] for request in (acquire, release)}
    assert len(scopes) == 1


def test_a_line_of_another_json_writer_is_understood():
    fields = dict(reversed({**FIELDS, "scope_id": "é", "more": {"version": 2}}.items()))
    line = json.dumps(fields, ensure_ascii=False, indent=None, separators=(" ,\t", " : "))
    (request,), malformed = FileRequestReader().feed(f" {line}\r\n".encode())
    assert not malformed
    assert request == FileTimerRequest(7, "é", 1.5, 9)


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in FIELDS.items() if key != name}


@pytest.mark.parametrize(
    "value",
    [
        "",
        [],
        7,
        None,
        *map(without, FIELDS),
        *({**FIELDS, "version": value} for value in (0, 2, 1.0, True, "1")),
        *({**FIELDS, "pid": value} for value in ("7", 7.0, True, None, [7], 2**31, -(2**31) - 1)),
        *({**FIELDS, "scope_id": value} for value in (7, None, ["a"])),
        *({**FIELDS, "expiration_time": v} for v in ("1", True, None, math.nan, math.inf, 10**400)),
        *(
            {**FIELDS, "signal": value}
            for value in ("9", 9.0, False, None, signal.NSIG, -(2**31) - 1)
        ),
        *({**FIELDS, "deadline": value} for value in ("1", None, math.nan, -math.inf)),
        *({**FIELDS, "start_time": value} for value in ("1", None, 1.0, -1, 2**63)),
        *({**FIELDS, "scope_base64": value} for value in (7, None, "?", "gg==", "abc")),
    ],
    ids=lambda value: json.dumps(value)[-40:],
)
def test_a_line_that_is_no_request_is_reported_with_its_bytes(value):
    line = json.dumps(value).encode()
    requests, (error,) = FileRequestReader().feed(line + b"\n")
    assert not requests
    assert error.data == line
    assert repr(line[:80]) in str(error)


@pytest.mark.parametrize(
    "line",
    [
        b"what is this",
        b"\xff\xfe",
        b'{"version": 1',
        b"[" * 50_000,
        b'{"version": 1, "pid": ' + b"9" * 5000 + b"}",
        b"cposix\nsystem"[:6],
    ],
    ids=lambda line: repr(line[:20]),
)
def test_bytes_that_are_no_json_are_reported(line):
    requests, (error,) = FileRequestReader().feed(line + b"\n")
    assert not requests
    assert error.data == line


def test_a_line_that_never_ends_is_given_up_and_the_next_request_served():
    reader = FileRequestReader()
    request = FileTimerRequest(7, "a", -1.0)
    requests, (given_up,) = reader.feed(b"x" * (_LONGEST_LINE + 1))
    assert not requests
    (received,), (rest,) = reader.feed(line_of(request))
    assert received == request
    assert len(given_up.data) + len(rest.data) == _LONGEST_LINE + 1


def test_a_request_that_arrives_in_two_pieces_is_not_given_up_with_what_is_before_it():
    reader = FileRequestReader()
    line = line_of(FileTimerRequest(7, "a", -1.0))
    reader.feed(b"x" * _LONGEST_LINE + line[:50])
    assert reader.feed(line[50:])[0] == [FileTimerRequest(7, "a", -1.0)]


def test_a_worker_that_is_met_again_has_the_same_id_object():
    line = line_of(FileTimerRequest(WorkerId(7, 3), "a", -1.0))
    (first, second), _ = FileRequestReader().feed(line + line)
    assert first.worker_id is second.worker_id


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (FileTimerRequest("worker", "a", 1.0), TypeError),
        (FileTimerRequest(7, b"a", 1.0), TypeError),
        (FileTimerRequest(7, "a", None), TypeError),
        (FileTimerRequest(7, "a", math.nan), ValueError),
        (FileTimerRequest(7, "a", math.inf), ValueError),
        (FileTimerRequest(7, "a", Instant(1.0, math.nan)), ValueError),
    ],
)
def test_what_cannot_be_sent_is_refused(request_, error):
    with pytest.raises(error):
        request_.to_json()


def test_releases_that_are_alike_are_the_same_object():
    reader = FileRequestReader()
    release = line_of(FileTimerRequest(7, "a", -1.0))
    (first, second, other), _ = reader.feed(
        release + release + line_of(FileTimerRequest(7, "b", -1.0))
    )
    assert first is second
    assert other.scope_id == "b"


def test_more_releases_than_are_kept_for_reuse_are_told_apart_all_the_same():
    reader = FileRequestReader()
    requests = [FileTimerRequest(7, f"scope {n}", -1.0) for n in range(2 * _KNOWN_RELEASES)]
    data = b"".join(map(line_of, requests))
    assert reader.feed(data + data) == (requests + requests, [])

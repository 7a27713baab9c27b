"""REQUEST: the one message that clients send."""

from __future__ import annotations

import itertools
import math
import pickle
import sys
from collections.abc import Callable
from typing import Any

import pytest

from elastic_timer_conformance.backend import Backend, IdleServer
from elastic_timer_conformance.clock import ControlledClock
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.processes import Host
from elastic_timer_conformance.requirement import not_applicable, requirement
from elastic_timer_conformance.workers import follow

OpenServer = Callable[..., IdleServer]

SCOPES = [
    "",
    "train.py#42",
    "two\nlines\r\n",
    "\"quotes\" and 'quotes'",
    "tabs\tand\x00control\x1bcharacters\x7f",
    '{"json": [1, 2]}\\n',
    "Größe 測試 עברית 🕰",
    "a" * 1024,
    "é" * 512,
]

# Seconds since the epoch: beyond any test's life.
LATER = 4102444800.0

# Seconds since the epoch whose last bits are easily lost on the way.
TIMES = [
    0.0,
    0.1 + 0.2,
    4102444800.123456789,
    math.nextafter(LATER, math.inf),
    math.nextafter(LATER, 0.0),
    LATER + 1 / 3,
    1e300,
]

# Fields of which no two are equal, of the kinds that backends use.
FIELDS = [
    (4711, "scope", 1.5),
    (4712, "scope", 1.5),
    (4711, "another scope", 1.5),
    (4711, "scope", 2.5),
    ("host:1", "scope", 1.5),
    (4712, "another scope", 2.5),
]


@pytest.fixture
def make_request(api: Any) -> Any:
    if api.TimerRequest is None:
        not_applicable("the backend's namespace has no TimerRequest")
    return api.TimerRequest


@requirement("REQUEST-FIELDS@01a37ba9")
@pytest.mark.parametrize("worker_id", [0, 4711, "host:4711"])
@pytest.mark.parametrize("time", [*TIMES, -1, 7])
@pytest.mark.parametrize("scope", SCOPES[:3])
def test_fields_are_as_given(make_request: Any, worker_id: Any, scope: str, time: float) -> None:
    for request in (
        make_request(worker_id, scope, time),
        make_request(worker_id=worker_id, scope_id=scope, expiration_time=time),
    ):
        assert request.worker_id == worker_id
        assert request.scope_id == scope
        assert request.expiration_time == time


@requirement("REQUEST-EQUALITY@6ad7b573")
@pytest.mark.parametrize(
    ("left", "right"),
    list(itertools.product(FIELDS, repeat=2)),
    ids=lambda fields: str(fields),
)
def test_equal_exactly_when_all_fields_are(make_request: Any, left: Any, right: Any) -> None:
    # Equal, and not the same objects, as after a way through a queue.
    right = pickle.loads(pickle.dumps(right))
    assert (make_request(*left) == make_request(*right)) is (left == right)
    assert (make_request(*left) != make_request(*right)) is (left != right)


@requirement("REQUEST-EQUALITY@6ad7b573")
@pytest.mark.parametrize("other", [FIELDS[0], list(FIELDS[0]), None, "scope", object()])
def test_unequal_to_another_type(make_request: Any, other: object) -> None:
    assert make_request(*FIELDS[0]) != other


@requirement("REQUEST-RELEASE@7af7f758")
@pytest.mark.parametrize("negative", [-1, -1.0, -math.ulp(0.0), -sys.float_info.max])
def test_negative_time_is_a_release(
    backend: Backend,
    open_server: OpenServer,
    worker_ids: list[Any],
    clock: ControlledClock,
    negative: float,
) -> None:
    server = open_server().server
    later = clock.time() + 60
    server.register_timers([backend.request(worker_ids[0], "scope", later)])
    assert worker_ids[0] in server.get_expired_timers(math.inf)
    server.register_timers([backend.request(worker_ids[0], "scope", negative)])
    assert server.get_expired_timers(math.inf) == {}


@requirement("REQUEST-RELEASE@7af7f758")
def test_zero_is_an_instant_long_past(
    backend: Backend, open_server: OpenServer, worker_ids: list[Any], clock: ControlledClock
) -> None:
    server = open_server().server
    server.register_timers([backend.request(worker_ids[0], "scope", 0.0)])
    assert list(server.get_expired_timers(clock.time())) == [worker_ids[0]]


def check_transport(host: Host, journal: Journal, sent: list[tuple[str, float]]) -> None:
    """Have a worker acquire these timers, and compare them with the server's table."""
    server = host.open_server(reaps=False)
    steps = [("acquire at", scope, time) for scope, time in sent]
    worker = host.start_worker(follow, *steps, ("hang",), journal=journal, server=server)
    timers = server.watch_until(lambda timers: len(timers) >= len(sent))
    assert timers == sorted((worker.pid, scope, time) for scope, time in sent)


@requirement("REQUEST-TRANSPORT@c7295052")
def test_reaches_the_server_unchanged(host: Host, journal: Journal) -> None:
    times = [time for time in TIMES if time >= LATER]
    timers = [*zip(SCOPES, itertools.repeat(LATER)), *((f"at {time!r}", time) for time in times)]
    check_transport(host, journal, timers)


# That such timers can be looked at depends on their being kept when reaping fails.
@requirement("REQUEST-TRANSPORT@c7295052", "WATCHDOG-REAP-FAILED@b3829baf")
def test_times_that_have_passed_reach_the_server_unchanged(host: Host, journal: Journal) -> None:
    times = [time for time in TIMES if time < LATER]
    check_transport(host, journal, [(f"at {time!r}", time) for time in times])

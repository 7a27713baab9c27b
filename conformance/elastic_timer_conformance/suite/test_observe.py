"""OBSERVE: what a server tells of itself, and whether it is still at work."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend, IdleServer
from elastic_timer_conformance.harness.host import Agent
from elastic_timer_conformance.harness.journal import LOOK_AGAIN, Journal
from elastic_timer_conformance.harness.processes import Host, Server
from elastic_timer_conformance.harness.reaping import MAX_INTERVAL, SOON, wait_reaped
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import follow

# Seconds: how long ago timers had expired when they are sent, and between two looks of servers
# that this test runs itself; a failed reap is tried again at the next one.
LATE = 5.0
INTERVAL = 0.05

# Which part of the time since its zero a clock goes back to an expiration that is long ago: more
# than half, so that the rest of a division is something else than the difference.
LONG_AGO = 0.75

# Seconds. Clocks of two kinds are read one after the other, and in another thread.
ROUNDING = 0.01

Event = tuple[str, Any, str | None]
Observe = Callable[..., IdleServer]


@pytest.fixture
def observe(backend: Backend) -> Iterator[Observe]:
    """A function that makes a server with a listener, `observe(on_event, reap, interval)`."""
    made: list[IdleServer] = []

    def make(
        on_event: Callable[[Any], None],
        reap: Callable[[Any], bool] | None = None,
        interval: float = INTERVAL,
    ) -> IdleServer:
        made.append(backend.observed_server(interval, on_event, reap))
        return made[-1]

    yield make
    for idle in made:
        # Most tests have stopped it. What a second stop does is SERVER-STOP-IDEMPOTENT's.
        with suppress(Exception):
            backend.stop_server(idle.server)
        idle.close()


class ReapingServer:
    """A server that is not started, reaps whoever is late, and keeps what it reports."""

    def __init__(self, observe: Observe) -> None:
        self.events: list[Any] = []
        self._reaped: list[Any] = []
        self.idle = observe(self.events.append, self._reap)

    def _reap(self, worker_id: Any) -> bool:
        self._reaped.append(worker_id)
        return True

    def run_until_it_has_reaped(self, allowance: Allowance) -> None:
        """Run watchdogs until somebody is reaped, or the time for that is over."""
        end = time.monotonic() + allowance.signal
        while not self._reaped and time.monotonic() < end:
            self.idle.server._run_watchdog()


def wait_until(condition: Callable[[], bool], what: str, allowance: Allowance) -> None:
    end = time.monotonic() + allowance.signal
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {allowance.signal} s"
        time.sleep(LOOK_AGAIN)


def check_reported(seen: list[Event], *wanted: Event) -> None:
    """Assert that these events were reported, and no others, in this order."""
    missing, surplus = Counter(wanted) - Counter(seen), Counter(seen) - Counter(wanted)
    assert not missing, f"not reported: {_shown(missing.elements())}; it was {_shown(seen)}"
    assert not surplus, f"reported once too often: {_shown(surplus.elements())}"
    assert seen == list(wanted), f"reported in another order: {_shown(seen)}"


def _shown(events: Iterable[Event]) -> str:
    return ", ".join(
        name if worker_id is None else f"{name} (worker {worker_id}, scope {scope_id!r})"
        for name, worker_id, scope_id in events
    )


@requirement("OBSERVE-EVENTS@e22f4c67")
@pytest.mark.parametrize("raises", [False, True], ids=["", "listener raises"])
def test_every_event_is_reported_once(
    backend: Backend, observe: Observe, worker_ids: list[Any], allowance: Allowance, raises: bool
) -> None:
    good, stubborn, _ = worker_ids
    events: list[Any] = []
    attempts: list[Any] = []

    def listen(event: Any) -> None:
        events.append(event)
        if raises:
            raise RuntimeError("from the user's function")

    def reap(worker_id: Any) -> bool:
        attempts.append(worker_id)
        return worker_id == good or attempts.count(stubborn) > 1

    idle = observe(listen, reap)
    try:
        idle.server.start()
    except RuntimeError as error:
        pytest.fail(f"what the listener raised has disturbed the server: {error}")
    began = time.time()
    # A release of what is not armed is a request like any other, and nothing to be told of.
    idle.put(backend.request(good, "never armed", -1))
    idle.put(backend.request(good, "good", began - LATE))
    wait_until(lambda: good in attempts, "reaping the first worker", allowance)
    idle.put(backend.request(stubborn, "stubborn", began - LATE))
    wait_until(lambda: attempts.count(stubborn) >= 2, "trying again to reap", allowance)
    backend.stop_server(idle.server)
    # Nothing stops a second time. Whether it may raise instead is SERVER-STOP-IDEMPOTENT's.
    with suppress(Exception):
        backend.stop_server(idle.server)
    took = time.time() - began

    check_reported(
        [(event.name, event.worker_id, event.scope_id) for event in events],
        ("started", None, None),
        ("expired", good, "good"),
        ("reaped", good, "good"),
        ("expired", stubborn, "stubborn"),
        ("reap failed", stubborn, "stubborn"),
        ("reaped", stubborn, "stubborn"),
        ("stopped", None, None),
    )
    for event in events[1:-1]:
        assert LATE - ROUNDING <= event.lateness <= LATE + took + ROUNDING, (
            f"{event.name!r} says that the server was {event.lateness} s late; "
            f"it was so by {LATE} to {LATE + took:.3f} s"
        )


@requirement("OBSERVE-EVENTS@e22f4c67")
@pytest.mark.parametrize("way", ["sent", "registered"])
def test_however_long_ago_it_expired_the_server_was_that_late(
    backend: Backend, observe: Observe, worker_ids: list[Any], allowance: Allowance, way: str
) -> None:
    one = ReapingServer(observe)
    begin = time.time()
    # A client may take the time to the monotonic clock, whose zero is when the machine was started.
    late = LONG_AGO * (time.monotonic() if way == "sent" else begin)
    request = backend.request(worker_ids[0], "scope", begin - late)
    if way == "sent":
        one.idle.put(request)
    else:
        one.idle.server.register_timers([request])
    one.run_until_it_has_reaped(allowance)
    took = time.time() - begin
    # To what fraction of a second a server knows when a timer expires is CLOCK-PRECISION's.
    rounding = ROUNDING + late * 1e-7
    assert [event.name for event in one.events] == ["expired", "reaped"]
    for event in one.events:
        assert late - rounding <= event.lateness <= late + took + rounding, (
            f"{event.name!r} says that the server was {event.lateness} s late; "
            f"it was so by {late:.3f} s"
        )


@requirement("OBSERVE-EVENTS@e22f4c67")
def test_every_scope_that_expired_is_named(
    backend: Backend, observe: Observe, worker_ids: list[Any], allowance: Allowance
) -> None:
    one = ReapingServer(observe)
    worker_id = worker_ids[0]
    now = time.time()
    for scope, at in (("step", now - 1), ("epoch", now - 2), ("later", now + 3600)):
        one.idle.put(backend.request(worker_id, scope, at))
    one.run_until_it_has_reaped(allowance)
    one.idle.server._run_watchdog()
    # Their order is left open, and so is which of the two the reap is put down to.
    seen = sorted((event.name, event.worker_id, event.scope_id) for event in one.events)
    last = seen[-1][2] if seen and seen[-1][2] == "step" else "epoch"
    expired: list[Event] = [("expired", worker_id, "epoch"), ("expired", worker_id, "step")]
    check_reported(seen, *expired, ("reaped", worker_id, last))


@requirement("OBSERVE-EVENTS@e22f4c67")
def test_events_of_a_real_worker(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = Server(host, host.call(start_observed))
    steps = (("acquire", "scope", SOON), ("hang",))
    worker = host.start_worker(follow, *steps, journal=journal, server=server)
    late = wait_reaped(worker, "acquire", backend)
    host.call(Agent.stop_server, server.number)
    events = host.call(observed)
    check_reported(
        [(name, who, scope) for name, who, scope, _ in events],
        ("started", None, None),
        ("expired", worker.pid, "scope"),
        ("reaped", worker.pid, "scope"),
        ("stopped", None, None),
    )
    for name, _, _, lateness in events[1:-1]:
        # The deadline in the worker's entry is the earliest that its timer can have had.
        assert -ROUNDING <= lateness <= late + ROUNDING, (
            f"{name!r} says {lateness} s late; the worker died {late:.3f} s late"
        )


@requirement("OBSERVE-HEALTH@5d30288f")
def test_progress_does_not_lag(host: Host, backend: Backend, allowance: Allowance) -> None:
    server = host.start_server(MAX_INTERVAL)
    seen = {host.call(last_progress, server.number)[0]}
    end = time.monotonic() + 3 * (MAX_INTERVAL + allowance.signal)
    while len(seen) < 4:
        assert time.monotonic() < end, (
            f"a watchdog was to be completed every {MAX_INTERVAL} s, and in the time of many of "
            f"them the time of the last progress took {len(seen)} values"
        )
        progress, now = host.call(last_progress, server.number)
        assert now - progress <= MAX_INTERVAL + allowance.signal, (
            f"a watchdog was to be completed every {MAX_INTERVAL} s, and the last progress is said "
            f"to have been {now - progress:.3f} s ago"
        )
        assert progress >= max(seen), "the time of the last progress went back"
        seen.add(progress)
        time.sleep(LOOK_AGAIN)


@requirement("OBSERVE-HEALTH@5d30288f")
def test_a_start_counts_as_progress(backend: Backend, observe: Observe) -> None:
    # Nothing happens in so long an interval.
    idle = observe(ignore, interval=3600.0)
    before = time.time()
    idle.server.start()
    progress = backend.last_progress_time(idle.server)
    assert before - ROUNDING <= progress <= time.time() + ROUNDING, (
        f"the server was just started, and its last progress is said to have been "
        f"{time.time() - progress:.3f} s ago"
    )


@requirement("OBSERVE-HEALTH@5d30288f")
def test_a_watchdog_that_is_held_up_makes_no_progress(
    backend: Backend, observe: Observe, worker_ids: list[Any], allowance: Allowance
) -> None:
    held, go_on = threading.Event(), threading.Event()

    def reap(_: Any) -> bool:
        held.set()
        return go_on.wait(60)

    idle = observe(ignore, reap)
    idle.server.start()
    try:
        idle.put(backend.request(worker_ids[0], "scope", time.time() - LATE))
        assert held.wait(allowance.signal), "the worker was not reaped"
        answers: list[float] = []

        def ask() -> None:
            for _ in range(2):
                answers.append(backend.last_progress_time(idle.server))
                time.sleep(3 * INTERVAL)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(allowance.signal)
        assert not asking.is_alive(), "asking for the last progress blocks"
        assert answers[0] == answers[1], "progress is told though the watchdog is held up"
    finally:
        go_on.set()
    wait_until(
        lambda: backend.last_progress_time(idle.server) > answers[0], "progress again", allowance
    )


def ignore(_: Any) -> None:
    """Do nothing with an event."""


# In the host -------------------------------------------------------------------------------------

_events: list[Any] = []


def start_observed(agent: Agent) -> int:
    """Start a server whose events are kept."""
    _events.clear()
    idle = agent.backend.observed_server(MAX_INTERVAL, _events.append)
    idle.server.start()
    return agent.keep_server(idle.server)


def observed(agent: Agent) -> list[tuple[str, Any, str | None, float]]:
    """Return the events: name, worker, scope and lateness."""
    return [(event.name, event.worker_id, event.scope_id, event.lateness) for event in _events]


def last_progress(agent: Agent, server: int) -> tuple[float, float]:
    """Return the time of the last progress, and the time now."""
    return agent.backend.last_progress_time(agent.servers[server]), time.time()

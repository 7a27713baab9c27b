"""SERVER: starting and stopping."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend, IdleServer
from elastic_timer_conformance.harness.host import Agent
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.processes import Host
from elastic_timer_conformance.harness.watched import WatchedServer
from elastic_timer_conformance.requirement import not_applicable, requirement
from elastic_timer_conformance.workers import WorkerContext, func

Measure = Callable[[str, float], None]

# Seconds: far longer than any allowance, so that waiting for it would show.
LONG_INTERVAL = 600.0

# By class, what a backend of one's own has to define.
OWN_METHODS = {
    "TimerClient": ("acquire", "release"),
    "RequestQueue": ("size", "get"),
    "TimerServer": ("register_timers", "clear_timers", "get_expired_timers", "_reap_worker"),
}


def instantiate(api: Any, name: str, methods: Iterable[str]) -> Any:
    """Make an instance of a subclass that has these methods, which do nothing."""
    own = type("Own", (getattr(api, name),), dict.fromkeys(methods, lambda *_: None))
    if name != "TimerServer":
        return own()
    queue = instantiate(api, "RequestQueue", OWN_METHODS["RequestQueue"])
    return own(queue, LONG_INTERVAL)


@requirement("SERVER-COMPLETE@91091b23")
@pytest.mark.parametrize(
    ("name", "missing"), [(name, method) for name, own in OWN_METHODS.items() for method in own]
)
def test_what_lacks_a_method_is_refused(api: Any, name: str, missing: str) -> None:
    if getattr(api, name) is None or api.RequestQueue is None:
        not_applicable("the interface's classes are no base of this backend's")
    instantiate(api, name, OWN_METHODS[name])
    try:
        instantiate(api, name, [method for method in OWN_METHODS[name] if method != missing])
    except TypeError:
        return
    pytest.fail(f"a subclass of {name} has no {missing}(), and an instance of it was made")


@requirement("SERVER-INVALID@bf8bb0f7")
@pytest.mark.parametrize("interval", [0, -0.5, math.nan, math.inf, -math.inf])
def test_an_interval_that_is_none_is_refused(
    open_server: Callable[..., IdleServer], interval: float
) -> None:
    try:
        open_server(max_interval=interval)
    except ValueError:
        return
    pytest.fail(f"{interval} s are no interval, and the server was made all the same")


@requirement("SERVER-START-NONBLOCKING@f79675c5")
def test_start_waits_for_nobody(
    host: Host, journal: Journal, allowance: Allowance, measured: Measure
) -> None:
    took = host.call(time_start, LONG_INTERVAL)
    measured("start", took)
    assert took < allowance.signal, f"start() took {took:.2f} s, with nothing to wait for"


@requirement("SERVER-START-NONBLOCKING@f79675c5")
def test_timers_acquired_after_start_are_enforced(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(0.1)
    worker = host.start_worker(func, 0.3, journal=journal, server=server)
    worker.wait_for("entered")
    worker.wait_dead(0.3 + 0.1 + allowance.signal)
    assert worker.exit_status() == -backend.reap_signal


def time_start(agent: Agent, max_interval: float) -> float:
    """In the host: return how long starting a server takes, in seconds."""
    start = time.monotonic()
    agent.start_server(max_interval)
    return time.monotonic() - start


@requirement("SERVER-STOP-BOUNDED@f0d0e597")
@pytest.mark.parametrize("flooded", [False, True])
def test_stop_returns_in_time(
    host: Host, journal: Journal, allowance: Allowance, measured: Measure, flooded: bool
) -> None:
    max_interval = 0.5
    server = host.start_server(max_interval)
    if flooded:
        worker = host.start_worker(flood, journal=journal, server=server)
        worker.wait_for("flooding")
    took = host.call(time_stop, server.number)
    measured("stop", took)
    waiting = "a worker sends without pause" if flooded else "nobody sends anything"
    assert took < max_interval + allowance.signal, (
        f"stop() took {took:.2f} s, with a max_interval of {max_interval} s, while {waiting}"
    )


def time_stop(agent: Agent, server: int) -> float:
    """In the host: return how long stopping a server takes, in seconds."""
    start = time.monotonic()
    agent.stop_server(server)
    return time.monotonic() - start


def flood(worker: WorkerContext) -> None:
    """In a worker: send requests without pause, until killed."""
    for number in range(10**9):
        worker.client.acquire("scope", time.time() + 3600)
        worker.client.release("scope")
        if number == 100:
            worker.journal.write("flooding")


@requirement("SERVER-STOP-BOUNDED@f0d0e597")
def test_no_watchdog_begins_after_stop(
    watched: Callable[..., WatchedServer], backend: Backend, allowance: Allowance
) -> None:
    interval = 0.02
    server = watched(interval).server
    begun = 0
    several = threading.Event()
    run_watchdog = server._run_watchdog

    def count() -> None:
        nonlocal begun
        begun += 1
        if begun >= 3:
            several.set()
        run_watchdog()

    server._run_watchdog = count
    server.start()
    assert several.wait(allowance.signal), "the watchdog loop does not run"
    backend.stop_server(server)
    after_stop = begun
    # Time for many watchdogs to show themselves.
    time.sleep(max(allowance.silence, 10 * interval))
    assert begun == after_stop, "a watchdog began after stop() had returned"


@requirement("SERVER-DAEMON@d201677a")
def test_a_server_that_runs_lets_its_process_end(
    host: Host, journal: Journal, allowance: Allowance
) -> None:
    worker = host.start_worker(serve, journal=journal)
    worker.wait_for("serves")
    assert worker.death.wait(allowance.signal), (
        "a program has come to its end while the server that it had started was running, and its "
        f"process is still there {allowance.signal} s later"
    )
    assert worker.exit_status() == 0


def serve(worker: WorkerContext) -> None:
    """In a worker: start a server, and come to an end without stopping it."""
    worker.backend.start_server(LONG_INTERVAL)
    worker.journal.write("serves")

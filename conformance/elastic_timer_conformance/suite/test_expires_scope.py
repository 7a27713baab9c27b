"""EXPIRES: which timer a block means that is guarded by expires."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.patience import TooSlowError, with_time_enough
from elastic_timer_conformance.harness.processes import Host
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import WorkerContext, hang

Configure = Callable[[Any], None]

# Seconds: between two looks of a server at its timers; for a timer that expires while the test
# looks on; and for one that is not to.
MAX_INTERVAL = 0.1
SOON = 0.3
NEVER = 3600.0


def names_line(scope: str, line: int) -> bool:
    """Tell whether a scope names this file and the line."""
    return re.search(rf"{re.escape(os.path.basename(__file__))}#{line}(?!\d)", scope) is not None


def current_line() -> int:
    """Return the number of the caller's line."""
    return sys._getframe(1).f_lineno


@requirement("EXPIRES-DEFAULT-SCOPE@57e6f2f0")
def test_default_scope_names_file_and_line(expires: Any, client: Any) -> None:
    line = current_line() + 1
    with expires(after=60, client=client):
        pass
    [(scope, _)] = client.acquired
    assert names_line(scope, line), (
        f"the block is at {os.path.basename(__file__)}#{line}, and its scope is {scope!r}"
    )
    assert client.armed == {}


@requirement("EXPIRES-DEFAULT-SCOPE@57e6f2f0")
def test_default_scope_of_a_manager_names_the_line_of_the_call(expires: Any, client: Any) -> None:
    line = current_line() + 1
    manager = expires(after=60, client=client)
    with manager:
        pass
    [(scope, _)] = client.acquired
    assert names_line(scope, line), f"the call is on line {line}, and its scope is {scope!r}"


@requirement("EXPIRES-DEFAULT-SCOPE-DISTINCT@7e4a3e87")
def test_two_call_sites_have_two_scopes(expires: Any, client: Any) -> None:
    with expires(after=60, client=client):
        with expires(after=30, client=client):
            assert len(client.armed) == 2, f"two blocks, one timer: {list(client.armed)}"
        assert len(client.armed) == 1, "the end of the inner block disarmed the outer one"
    assert client.armed == {}


@requirement("EXPIRES-DEFAULT-SCOPE-DISTINCT@7e4a3e87")
def test_two_files_of_one_name_have_two_scopes(expires: Any, client: Any) -> None:
    # Both have the block on the same line, as two copies of a script do.
    source = "def run(expires, **given):\n    with expires(**given):\n        pass\n"
    for folder in ("first", "second"):
        names: dict[str, Any] = {}
        exec(compile(source, os.path.join(os.sep, folder, "train.py"), "exec"), names)
        names["run"](expires, after=60, client=client)
    scopes = [scope for scope, _ in client.acquired]
    assert len(set(scopes)) == 2, f"two files of one name, and one scope: {scopes}"


@requirement("EXPIRES-DEFAULT-SCOPE-DISTINCT@7e4a3e87")
def test_inner_block_does_not_disarm_an_outer_one(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    worker = host.start_worker(hang_after_an_inner_block, SOON, journal=journal, server=server)
    deadline = worker.wait_for("entered")["deadline"]
    worker.wait_dead(deadline - time.monotonic() + MAX_INTERVAL + allowance.signal)
    assert worker.exit_status() == -backend.reap_signal


def hang_after_an_inner_block(worker: WorkerContext, after: float) -> None:
    """In a worker: hang in a block after another one inside it has ended."""
    worker.api.configure(worker.client)
    before = time.monotonic()
    with worker.api.expires(after=after):
        with worker.api.expires(after=NEVER):
            pass
        worker.journal.write("entered", deadline=before + after)
        hang()


@requirement("EXPIRES-RECURSION@3a57051d")
def test_recursion_reacquires_one_timer(expires: Any, client: Any) -> None:
    times: list[float] = []

    def recurse(depth: int) -> None:
        with expires(after=60 * depth, client=client):
            assert len(client.armed) == 1, f"one call site, several timers: {list(client.armed)}"
            times.extend(client.armed.values())
            if depth > 1:
                recurse(depth - 1)

    before = time.time()
    recurse(3)
    after = time.time()
    for seen, depth in zip(times, (3, 2, 1), strict=True):
        assert before + 60 * depth <= seen <= after + 60 * depth, "not the last entry's time"
    assert client.armed == {}


@requirement("EXPIRES-RECURSION@3a57051d")
def test_get_timer_recursive(host: Host, journal: Journal, allowance: Allowance) -> None:
    server = host.start_server(MAX_INTERVAL)

    @with_time_enough
    def check(after: float) -> None:
        # Four levels, each 0.4 of the timer's duration: in total 1.6 times as long as it.
        steps = (after, 4, 0.4 * after)
        worker = host.start_worker(recurse_and_return, *steps, journal=journal, server=server)
        entered = [worker.wait_for("entered", count=level + 1) for level in range(4)]
        for previous, next_ in pairwise(entered):
            if next_["at"] >= previous["deadline"]:
                raise TooSlowError
        worker.wait_dead(after * 2 + allowance.signal)
        if (status := worker.exit_status()) != 0:
            # The innermost block is the only one whose time of leaving can have been too late.
            left = [entry["at"] for entry in worker.journal.entries("left", worker.pid)]
            in_time = any(at < entered[-1]["deadline"] for at in left)
            assert not in_time, f"the worker recursed in time and ended with status {status}"
            raise TooSlowError


@requirement("EXPIRES-RECURSION@3a57051d")
def test_hang_in_the_deepest_recursion_is_found(
    host: Host, journal: Journal, backend: Backend, allowance: Allowance
) -> None:
    server = host.start_server(MAX_INTERVAL)
    worker = host.start_worker(recurse_and_hang, 3, SOON, journal=journal, server=server)
    deadline = worker.wait_for("entered")["deadline"]
    died = worker.wait_dead(SOON + MAX_INTERVAL + allowance.signal)
    assert worker.exit_status() == -backend.reap_signal
    assert died >= deadline


def recurse_and_return(worker: WorkerContext, after: float, levels: int, pause: float) -> None:
    """In a worker: enter one block again and again inside itself, with a pause in each."""
    worker.api.configure(worker.client)

    def recurse(level: int) -> None:
        before = time.monotonic()
        with worker.api.expires(after=after):
            worker.journal.write("entered", deadline=before + after)
            time.sleep(pause)
            if level > 1:
                recurse(level - 1)
        worker.journal.write("left")

    recurse(levels)


def recurse_and_hang(worker: WorkerContext, levels: int, after: float) -> None:
    """In a worker: hang in the innermost block; all the others have time enough."""
    worker.api.configure(worker.client)

    def recurse(level: int) -> None:
        duration = NEVER if level > 1 else after
        before = time.monotonic()
        with worker.api.expires(after=duration):
            if level > 1:
                recurse(level - 1)
            worker.journal.write("entered", deadline=before + duration)
            hang()

    recurse(levels)

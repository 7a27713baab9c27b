"""What is said of how late workers were reaped, and which reaps it is said of."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backends import load_backend
from elastic_timer_conformance.harness.hosts import Hosts
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.observing import Account, observed_reaps
from elastic_timer_conformance.harness.processes import Host, Worker
from elastic_timer_conformance.latency import Latency, Reap
from elastic_timer_conformance.workers import follow, func, func2

# Seconds: far more than any of this takes on a machine that is very busy; and a timer that expires
# while the test looks on.
ENOUGH = 60.0
SOON = 0.3
NEVER = 3600.0


def late(*seconds: float, undisturbed: bool = True) -> list[Reap]:
    return [Reap(number, undisturbed) for number in seconds]


def test_percentiles_are_samples_that_were_measured() -> None:
    latency = Latency.of(late(*(number / 1000 for number in range(200, 0, -1))))
    assert (latency.p50, latency.p99, latency.worst) == (0.1, 0.198, 0.2)
    assert str(latency) == (
        "reaped after expiry: 200 samples, p50 100.0 ms, p99 198.0 ms, worst 200.0 ms; "
        "early firings 0 of 200"
    )


def test_of_few_samples_the_worst_is_the_99th_percentile() -> None:
    assert Latency.of(late(0.001, 0.003, 0.002)) == Latency(3, 0, 3, 0.002, 0.003, 0.003)


def test_one_sample_is_no_distribution() -> None:
    said = str(Latency.of(late(0.0125)))
    assert said == "reaped after expiry: 1 sample, 12.5 ms; early firings 0 of 1"


def test_without_a_sample_there_are_no_times() -> None:
    assert Latency.of([]) == Latency(0, 0, 0, None, None, None)
    assert str(Latency.of([])) == "reaped after expiry: 0 samples; early firings 0 of 0"


def test_an_early_reap_is_counted_and_is_no_sample() -> None:
    latency = Latency.of(late(-0.000001, 0.0, 0.002) + late(-1.0, 5.0, undisturbed=False))
    assert (latency.reaps, latency.early, latency.samples) == (5, 2, 2)
    assert latency.worst == 0.002


# What a worker held -----------------------------------------------------------------------------


def entry(event: str, at: float, deadline: float = 0.0, scope: str = "scope", **more: Any) -> Any:
    return {"event": event, "pid": 1, "at": at, "scope": scope, "deadline": deadline, **more}


@pytest.mark.parametrize(
    ("entries", "deadlines", "is_settled"),
    [
        ([], [], None),
        ([entry("acquire", 1, 5)], [5], True),
        ([entry("entered", 1, 5)], [5], True),
        ([entry("acquire", 1, 5), entry("acquire", 2, 7, "other")], [5, 7], True),
        # Put off, put forward, and released.
        ([entry("acquire", 1, 5), entry("acquire", 2, 7)], [7], True),
        ([entry("acquire", 1, 7), entry("acquire", 2, 5)], [5], True),
        ([entry("acquire", 1, 5), entry("release", 2)], [], None),
        ([entry("acquire", 1, 5, "other"), entry("acquire", 1, 6), entry("release", 2)], [5], True),
        # Likewise, and too late to be sure.
        ([entry("acquire", 1, 5), entry("acquire", 6, 9)], [5, 9], False),
        ([entry("acquire", 1, 5), entry("release", 6)], [5], False),
        # It had expired when it was sent.
        ([entry("acquire", 6, 5)], [5], False),
        # Whether it was sent is not known, unless the worker was reaped for nothing else.
        ([entry("acquiring", 1, 5)], [5], True),
        ([entry("acquiring", 1, 5), entry("acquire", 2, 5)], [5], True),
        ([entry("acquire", 1, 9), entry("acquiring", 2, 5)], [5, 9], False),
        # Refused, so nobody guards it.
        ([entry("acquiring", 1, 5), entry("acquire unless refused", 2, 5, refused=True)], [], None),
        (
            [entry("acquiring", 1, 5), entry("acquire unless refused", 2, 5, refused=False)],
            [5],
            True,
        ),
        # Of a block that has been left, or of one that says nothing of its timer.
        ([entry("left", 1, 5), entry("hang", 2)], [], None),
    ],
)
def test_an_account_is_kept_of_the_timers(
    entries: list[Any], deadlines: list[float], is_settled: bool | None
) -> None:
    account = Account.of(entries)
    assert sorted(account.deadlines) == deadlines
    assert is_settled is None or account.is_settled is is_settled


# Seen in processes ------------------------------------------------------------------------------


class Seen:
    """A host with a server, and what is seen of its workers."""

    def __init__(self, backend: str, folder: Path) -> None:
        self._backend = load_backend(backend)
        self._hosts = Hosts(backend, folder, Allowance())
        self.host: Host = self._hosts.borrow("fork")
        self.journal = Journal(folder / "journal")
        self.server = self.host.start_server(0.05)

    def start(self, function: Any, *args: Any) -> Worker:
        return self.host.start_worker(function, *args, journal=self.journal, server=self.server)

    def reaps(self) -> list[Reap]:
        return list(observed_reaps(self.host, self._backend))

    def close(self) -> None:
        self.host.resume()
        self._hosts.give_back(self.host)
        self._hosts.close()


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Seen]:
    made = Seen("local", tmp_path)
    yield made
    made.close()


def test_every_reaped_worker_is_seen(seen: Seen) -> None:
    workers = [seen.start(func, SOON), seen.start(follow, ("acquire", "scope", SOON), ("hang",))]
    for worker in workers:
        worker.wait_dead(ENOUGH)
    first, second = seen.reaps()
    assert first.undisturbed
    assert second.undisturbed
    assert 0 <= first.late < ENOUGH
    assert 0 <= second.late < ENOUGH


def test_who_is_alive_or_has_ended_otherwise_is_not_reaped(seen: Seen) -> None:
    seen.start(func, NEVER).wait_for("entered")
    killed = seen.start(func, NEVER)
    killed.wait_for("entered")
    killed.signal(signal.SIGKILL)
    seen.journal.open_gate("go")
    for worker in (killed, seen.start(func2, NEVER)):
        worker.wait_dead(ENOUGH)
    assert seen.reaps() == []


def test_a_delay_that_is_the_tests_work_is_no_sample(seen: Seen) -> None:
    worker = seen.start(func, SOON)
    deadline = worker.wait_for("entered")["deadline"]
    seen.host.suspend()
    time.sleep(max(deadline + 0.2 - time.monotonic(), 0))
    assert seen.reaps() == []
    seen.host.resume()
    worker.wait_dead(ENOUGH)
    [reap] = seen.reaps()
    assert not reap.undisturbed


def test_a_timer_that_had_expired_before_it_was_sent_is_no_sample(seen: Seen) -> None:
    worker = seen.start(follow, ("acquire", "scope", -SOON), ("hang",))
    worker.wait_dead(ENOUGH)
    assert [(reap.undisturbed, reap.early) for reap in seen.reaps()] == [(False, False)]


def test_an_early_firing_is_seen(tmp_path: Path) -> None:
    hasty = Seen("tiny_backends:HastyBackend", tmp_path)
    try:
        # It says so before it acquires: afterwards it may not live to say it.
        worker = hasty.start(follow, ("acquire", "scope", NEVER), ("hang",))
        worker.wait_dead(ENOUGH)
        [reap] = hasty.reaps()
    finally:
        hasty.close()
    assert reap.early
    assert -NEVER <= reap.late < 0


def test_a_run_reports_what_was_seen(run: Any) -> None:
    one = ("-k", "test_hung_worker_is_reaped")
    done = run("--backend", "local", "--requirement", "PROCESS-REAPS-HUNG", *one)
    assert done.status == 0, done.output
    assert "Latency: reaped after expiry: 1 sample, " in done.output
    assert done.report["latency"]["reaps"] == 1
    [test] = done.report["tests"]
    [reap] = test["reaps"]
    assert done.report["latency"]["worst"] == reap["late"]
    [requirement] = done.report["requirements"]
    assert requirement["latency"] == done.report["latency"]
    json.dumps(done.report, allow_nan=False)

"""What tests of the suite are written with: journal, clock, patience."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.clock import ControlledClock
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.patience import DURATIONS, TooSlowError, with_time_enough
from elastic_timer_conformance.layer import Clock, Layer
from elastic_timer_conformance.requirement import requirement
from elastic_timer_spec import load
from elastic_timer_spec.suite_source import find_suite, read_suite


def test_entries_come_in_order_and_can_be_chosen(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    assert journal.entries() == []
    journal.write("one")
    journal.write("two", detail="Größe\n")
    journal.write("one")
    assert [entry["event"] for entry in journal.entries()] == ["one", "two", "one"]
    [two] = journal.entries("two", os.getpid())
    assert two["detail"] == "Größe\n"
    assert journal.entries(pid=0) == []
    first, second = journal.entries("one")
    assert first["at"] <= two["at"] <= second["at"]


def test_waiting_for_an_entry(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.write("one")
    threading.Timer(0.05, journal.write, ["one"]).start()
    assert journal.wait_for("one", 60, count=2)["event"] == "one"
    with pytest.raises(
        AssertionError, match=r"no 'two' \(1\.\) .* within 0\.01 s.*\['one', 'one'\]"
    ):
        journal.wait_for("two", 0.01)


def test_many_writers_keep_their_lines_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    threads = [
        threading.Thread(target=lambda: [journal.write("x" * 500) for _ in range(50)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal.entries("x" * 500)) == 400


def test_a_gate_lets_everybody_through_once_it_is_open(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    passed = threading.Event()

    def go() -> None:
        journal.wait_at_gate("go")
        passed.set()

    thread = threading.Thread(target=go)
    thread.start()
    assert not passed.wait(0.05)
    journal.open_gate("go")
    assert passed.wait(60)
    thread.join()
    journal.wait_at_gate("go")


def test_a_controlled_clock_moves_when_told_to() -> None:
    clock = ControlledClock(wall=1000.0, monotonic=5.0)
    assert (clock.time(), clock.monotonic()) == (1000.0, 5.0)
    clock.advance(2.5)
    assert (clock.time(), clock.monotonic()) == (1002.5, 7.5)
    clock.step_wall(-3600)
    assert (clock.time(), clock.monotonic()) == (-2597.5, 7.5)
    assert clock.deadline(1003.5) == 8.5, "a jump of the server's clock moves no client's deadline"
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


def test_the_wall_clock_of_a_process_jumps_and_nothing_else_does() -> None:
    code = """
import time
from elastic_timer_conformance.harness import wall_clock

def readings():
    wall = time.time(), time.time_ns() / 1e9, time.clock_gettime(time.CLOCK_REALTIME)
    steady = time.monotonic(), time.clock_gettime(time.CLOCK_MONOTONIC)
    return *wall, time.clock_gettime_ns(time.CLOCK_REALTIME) / 1e9, *steady

before = readings()
wall_clock.step(7200)
wall_clock.step(-3600)
print([round((now - then) / 60) for now, then in zip(readings(), before)])
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[60, 60, 60, 60, 0, 0]\n"


def test_more_time_is_given_until_it_is_enough() -> None:
    tried: list[float] = []

    @with_time_enough
    def check(duration: float) -> None:
        tried.append(duration)
        if len(tried) < 3:
            raise TooSlowError

    assert tried == list(DURATIONS[:3])


def test_time_given_has_an_end() -> None:
    tried: list[float] = []

    def check(duration: float) -> None:
        tried.append(duration)
        raise TooSlowError

    with pytest.raises(TooSlowError):
        with_time_enough(check)
    assert tried == list(DURATIONS)


def test_a_failure_is_not_tried_again() -> None:
    tried: list[float] = []

    def check(duration: float) -> None:
        tried.append(duration)
        raise AssertionError("wrong")

    with pytest.raises(AssertionError, match="wrong"):
        with_time_enough(check)
    assert len(tried) == 1


def test_a_requirement_mark_needs_an_id() -> None:
    with pytest.raises(ValueError, match="at least one requirement"):
        requirement()


@pytest.mark.parametrize(
    ("fixtures", "layer", "clock"),
    [
        (set(), Layer.INTERFACE, Clock.EXACT),
        ({"watched", "clock"}, Layer.INTERFACE, Clock.EXACT),
        ({"watched", "clock", "allowance"}, Layer.INTERFACE, Clock.EXACT),
        ({"request_queue", "allowance"}, Layer.INTERFACE, Clock.REAL),
        ({"host", "hosts", "allowance"}, Layer.PROCESS, Clock.REAL),
        ({"hosts", "clock"}, Layer.PROCESS, Clock.REAL),
    ],
)
def test_layer_and_clock_follow_from_what_a_test_asks_for(
    fixtures: set[str], layer: Layer, clock: Clock
) -> None:
    assert Layer.of(fixtures) is layer
    assert Clock.of(fixtures) is clock


def test_the_suites_source_says_of_each_test_what_pytest_says() -> None:
    command = [sys.executable, "-m", "elastic_timer_conformance", "--backend", "local"]
    command += ["--layer", "process", "--collect-only", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    collected = set(re.findall(r"(test_\w+\.py)::(\w+)", done.stdout))
    requirements = load().requirements
    read = {
        (test.file, test.function)
        for test in read_suite(find_suite()).tests
        if Layer.of(test.fixtures) is Layer.PROCESS
        # What the backend does not claim is not selected.
        and {requirements[id_].capability for id_ in test.requirements}
        <= {None, *LocalBackend.capabilities}
    }
    assert collected == read

"""What the suite does to processes: it works, and it stays where it belongs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from elastic_timer_conformance.harness.death import Death
from elastic_timer_conformance.harness.debugger import held_by_debugger
from elastic_timer_conformance.harness.pid_successor import (
    PidSuccessor,
    PidTakenError,
    RefusedError,
)
from elastic_timer_conformance.harness.process_state import (
    ASLEEP,
    HELD_BY_DEBUGGER,
    STOPPED,
    wait_for_state,
)

# Seconds that a machine may take for what takes milliseconds.
AMPLE = 30.0


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "infinity"])
    yield process
    process.kill()
    process.wait()


def run(code: str) -> list[str]:
    """Run code in a process of its own, leading a session; return the lines it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p or "." for p in sys.path)},
    )
    return done.stdout.splitlines()


def test_a_wall_clock_jumps_and_the_others_do_not() -> None:
    [wall, wall_ns, gettime, monotonic] = run(
        "import time\n"
        "from elastic_timer_conformance.harness import wall_clock\n"
        "clocks = (time.time, lambda: time.time_ns() / 1e9,\n"
        "          lambda: time.clock_gettime(time.CLOCK_REALTIME), time.monotonic)\n"
        "before = time.time(), time.time(), time.time(), time.monotonic()\n"
        "wall_clock.step(7200)\n"
        "wall_clock.step(-3600)\n"
        "after = (time.time(), time.time_ns() / 1e9,\n"
        "         time.clock_gettime(time.CLOCK_REALTIME), time.monotonic())\n"
        "for b, a in zip(before, after):\n"
        "    print(a - b)\n"
    )
    for jumped in (wall, wall_ns, gettime):
        assert 3600 - 1e-3 <= float(jumped) < 3600 + AMPLE
    assert 0 <= float(monotonic) < AMPLE


def test_a_stopped_process_is_seen_to_be_stopped(sleeper: subprocess.Popen[bytes]) -> None:
    wait_for_state(sleeper.pid, ASLEEP, AMPLE)
    sleeper.send_signal(signal.SIGSTOP)
    wait_for_state(sleeper.pid, STOPPED, AMPLE)
    with pytest.raises(AssertionError, match=r"were to be 'S'.* and are \['T'\]"):
        wait_for_state(sleeper.pid, ASLEEP, 0.01)


def test_a_process_is_held_by_a_debugger_for_a_while(sleeper: subprocess.Popen[bytes]) -> None:
    with held_by_debugger(sleeper.pid):
        wait_for_state(sleeper.pid, HELD_BY_DEBUGGER, AMPLE)
    wait_for_state(sleeper.pid, ASLEEP, AMPLE)


# Starts a process, prints its number, and in the end its exit status.
PARENT = """
import subprocess
child = subprocess.Popen(["sleep", "infinity"])
print(child.pid, flush=True)
print(child.wait())
"""


def test_a_process_may_die_while_a_debugger_holds_it() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = Death(int(parent.stdout.readline()))
        with held_by_debugger(child.pid):
            child.signal(signal.SIGKILL)
            assert child.wait(AMPLE)
        assert int(parent.stdout.readline()) == -signal.SIGKILL


def test_a_dead_process_has_a_successor() -> None:
    for _ in range(10):
        former = subprocess.Popen(["true"])
        former.wait()
        try:
            successor = PidSuccessor(former.pid)
        except PidTakenError:
            continue
        except RefusedError as error:
            pytest.skip(str(error))
        assert successor.death.at is None
        os.kill(former.pid, 0)
        successor.close()
        assert successor.death.wait(AMPLE)
        return
    pytest.fail("ten process ids in a row were taken by others")


def test_a_living_process_has_no_successor(sleeper: subprocess.Popen[bytes]) -> None:
    with pytest.raises((PidTakenError, RefusedError)):
        PidSuccessor(sleeper.pid)


# `kill` is imported by name before it is disarmed; signal 0 asks only whether somebody is there.
DISARMED = """
import os, signal, subprocess
from os import kill
from elastic_timer_conformance.harness.faults import disarm, signals_sent
disarm(None)
child = subprocess.Popen(["sleep", "infinity"])
descriptor = os.pidfd_open(child.pid)
own = os.pidfd_open(os.getpid())
refused = 0
for send in (
    lambda: kill(0, 15), lambda: os.kill(1, 15), lambda: kill(-1, 15), lambda: os.killpg(1, 15),
    lambda: kill(os.getpid(), 15), lambda: os.killpg(os.getpgrp(), 15), lambda: os.killpg(0, 15),
    lambda: signal.pidfd_send_signal(own, 15),
):
    try:
        send()
    except PermissionError:
        refused += 1
kill(os.getpid(), 0)
signal.pidfd_send_signal(descriptor, 15)
print(refused, child.wait(), len(signals_sent(None)), signals_sent(None)[-1] == (child.pid, 15))
"""


def test_a_disarmed_process_cannot_signal_more_than_a_worker() -> None:
    assert run(DISARMED) == ["8 -15 9 True"]

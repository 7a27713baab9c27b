"""What the kernel says about a process's threads: running, asleep, stopped (see proc(5))."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["ASLEEP", "HELD_BY_DEBUGGER", "STOPPED", "thread_states", "wait_for_state"]

# How often to look again, in seconds; what is waited for takes microseconds.
LOOK_AGAIN = 0.001

ASLEEP = "S"
STOPPED = "T"
HELD_BY_DEBUGGER = "t"


def thread_states(pid: int) -> list[str]:
    """Return the state of every thread of a process, by the letter that proc(5) gives it."""
    states = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            # The second field, the program's name, may hold anything: count from its end.
            states.append((task / "stat").read_text().rpartition(") ")[2][0])
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread has ended
    return states


def wait_for_state(
    pid: int, state: str, timeout: float, *, is_alive: Callable[[], bool] = lambda: True
) -> None:
    """Wait until all threads of a process are in this state, or it is not alive.

    A signal that stops a process reaches its threads one by one; one of them may be running.
    Raises AssertionError if that takes longer than `timeout` seconds.
    """
    end = time.monotonic() + timeout
    while set(states := thread_states(pid)) != {state} and is_alive():
        if time.monotonic() >= end:
            raise AssertionError(
                f"the threads of process {pid} were to be {state!r} within {timeout} s, "
                f"and are {states}"
            )
        time.sleep(LOOK_AGAIN)

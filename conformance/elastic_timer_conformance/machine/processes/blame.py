"""Which requirement a difference of real processes is held against.

As on a controlled clock, it follows from the steps, of which none can be left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from elastic_timer_conformance.backend import Capability
from elastic_timer_conformance.machine.difference import Difference
from elastic_timer_conformance.machine.machine import Part
from elastic_timer_conformance.machine.minimise import Failure, Try
from elastic_timer_conformance.machine.trace import Step

__all__ = ["PARTS", "blamed"]

NO_FALSE_REAP = "WATCHDOG-NO-FALSE-REAP"

PARTS = {
    # The first two are not done, but demanded: see ProcessRun.
    "in time": Part("a release counts that had returned just before the deadline", [NO_FALSE_REAP]),
    "survival": Part("the server's process outlives what it does to workers", ["SERVER-SURVIVES"]),
    "suspension": Part("the server's process is suspended, and goes on", [NO_FALSE_REAP]),
    "restart": Part(
        "the server is stopped, and started again", ["SERVER-RESTART", "SERVER-STOP-NO-REAP"]
    ),
    "nested blocks": Part(
        "a worker enters a block inside another one of its scope", ["EXPIRES-NESTED-REARM"]
    ),
    "hang at once": Part(
        "a worker acquires or releases, and keeps the GIL from the next instruction on",
        ["CLIENT-ARMED", NO_FALSE_REAP],
    ),
    "fork": Part("a worker forks another one", ["CLIENT-FORK"]),
    "busy": Part(
        "a worker acquires and releases all the time",
        [NO_FALSE_REAP, "WATCHDOG-FAIR", "QUEUE-BACKPRESSURE"],
    ),
    "stop": Part(
        "workers are stopped, and go on",
        ["PROCESS-STOPPED", "QUEUE-STALLED-PRODUCER", "CLIENT-ARMED"],
    ),
    "kill": Part("a worker is killed", ["PROCESS-EXITED", "QUEUE-KILLED-PRODUCER"]),
    "wall clock": Part("the server's wall clock jumps by an hour", ["CLOCK-STEP"]),
    "malformed": Part("what is no request arrives", ["QUEUE-MALFORMED"], hook="send_raw"),
    "half a request": Part(
        "half of a request arrives", ["QUEUE-STALLED-PRODUCER"], hook="send_part"
    ),
    "crash": Part(
        "the server's process is killed, and another one takes its place",
        ["DURABLE-SERVER-CRASH"],
        capability=Capability.DURABLE,
    ),
}
"""What may happen, or be demanded, besides acquiring, releasing, blocks, ends and time."""

# The steps that are faults, each with the part that it belongs to. Where there are several, the
# rarer comes first.
FAULTS = {
    "kill server": "crash",
    "step clock": "wall clock",
    "garbage": "malformed",
    "half": "half a request",
    "fork": "fork",
}


def blamed(failure: Failure, again: Try) -> tuple[str, ...]:
    """Return what a difference may be a breach of, the likeliest first."""
    steps, difference = failure
    done = {step["do"] for step in steps}
    for step, name in FAULTS.items():
        if step in done:
            return tuple(PARTS[name].requirements)
    if "stop server" in done:
        return _of_a_restart(steps, difference)
    if difference.kind == "server":
        return tuple(PARTS["survival"].requirements)
    if "kill" in done or "stop" in done:
        return _of_failing_workers(steps, difference)
    if any("then" in order for order in _orders(steps)):
        armed, in_time = PARTS["hang at once"].requirements
        return (in_time, armed) if difference.kind == "reaped" else (armed, in_time)
    if "suspend server" in done and difference.kind in ("reaped", "early"):
        return tuple(PARTS["suspension"].requirements)
    if any(count > 1 for count in _times("enter", steps).values()):
        return tuple(PARTS["nested blocks"].requirements)
    if "busy" in done:
        of_load = ("WATCHDOG-FAIR", "QUEUE-EXACTLY-ONCE", "QUEUE-BACKPRESSURE")
        first = NO_FALSE_REAP if difference.kind == "reaped" else "WATCHDOG-LATENCY"
        return (first, *of_load)
    return _of_clients(steps, difference.kind)


def _of_a_restart(steps: Sequence[Step], difference: Difference) -> tuple[str, ...]:
    restart, stop = PARTS["restart"].requirements
    stopped = [step["do"] for step in steps].index("stop server")
    # What is sent while it is stopped, only the server that comes back can lose.
    sent_before = not _orders(steps[stopped:])
    return (stop, restart) if difference.kind == "reaped" and sent_before else (restart, stop)


def _of_failing_workers(steps: Sequence[Step], difference: Difference) -> tuple[str, ...]:
    failing = [step for step in steps if step["do"] in ("kill", "stop")]
    name = failing[-1]["do"]
    own, transport, *others = PARTS[name].requirements
    # Of who is in the middle of sending, the transport suffers; and so does everybody else.
    in_transit = any(step["do"] == "busy" for step in steps)
    is_another = difference.worker not in failing[-1]["workers"] and name == "stop"
    if is_another and not in_transit and difference.kind in ("reaped", "early"):
        return ("PROCESS-ONLY-HUNG", own, transport)
    first = (transport, own) if in_transit or is_another else (own, transport)
    return (*first, *others)


def _of_clients(steps: Sequence[Step], kind: str) -> tuple[str, ...]:
    orders = _orders(steps)
    acquired = _times("acquire", steps)
    scopes = {order["scope"] for order in orders if "scope" in order}
    again = any(count > 1 for count in acquired.values())
    released = any(order["to"] in ("release", "leave") for order in orders)
    several = len({order["worker"] for order in orders}) > 1
    if kind == "stuck":
        return ("QUEUE-BACKPRESSURE", "CLIENT-ACQUIRE", "QUEUE-KILLED-PRODUCER")
    if kind == "status":
        return ("PROCESS-SPARES-HEALTHY",)
    names = {
        "CLIENT-SCOPES-INDEPENDENT": len(scopes) > 1,
        "CLIENT-WORKERS-INDEPENDENT": several and released,
        "CLIENT-REACQUIRE": again and not released,
        "CLIENT-RELEASE": released,
        "CLIENT-ACQUIRE": kind == "raised",
        "PROCESS-ONLY-HUNG": several,
    }
    rest = {
        "reaped": ("PROCESS-SPARES-HEALTHY", NO_FALSE_REAP),
        "early": ("SERVER-REGISTER", "CLOCK-PRECISION", "PROCESS-SPARES-HEALTHY"),
        # Whoever was reaped before was killed, perhaps in the middle of sending.
        "late": (
            *("PROCESS-REAPS-HUNG", "WATCHDOG-LATENCY", "CLIENT-ARMED"),
            "QUEUE-KILLED-PRODUCER",
        ),
    }
    return (*(name for name, applies in names.items() if applies), *rest.get(kind, ()))


def _times(to: str, steps: Sequence[Step]) -> Counter[tuple[int, str]]:
    """Count how often each worker was ordered to do this with each scope."""
    return Counter(
        (order["worker"], order["scope"]) for order in _orders(steps) if order["to"] == to
    )


def _orders(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [order for step in steps for order in step.get("orders", ())]

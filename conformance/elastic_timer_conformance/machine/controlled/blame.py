"""Which requirement a difference on a controlled clock is held against.

The model stands for many requirements at once. What a sequence of steps is about follows from
the steps, since none of them can be left out: if the wall clock jumps in it, the jump is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from elastic_timer_conformance.machine.controlled.rules import PLAIN
from elastic_timer_conformance.machine.controlled.run import REGISTERED, SENDING
from elastic_timer_conformance.machine.machine import Part
from elastic_timer_conformance.machine.minimise import Failure, Try
from elastic_timer_conformance.machine.trace import Step

__all__ = ["PARTS", "blamed"]

PARTS = {
    "clear": Part("workers are cleared from the table", ["SERVER-CLEAR"]),
    "reap fails": Part("a worker cannot be reaped, and later it can", ["WATCHDOG-REAP-FAILED"]),
    "reap raises": Part("reaping a worker raises an error", ["WATCHDOG-REAP-RAISES"]),
    "wall clock": Part("the wall clock jumps", ["CLOCK-STEP"]),
}
"""What may happen besides acquiring, releasing, time passing and watchdogs, and whose it is."""

# Where the table is right once the same requests are handed to it: the first is the one that says
# that a watchdog registers all that was sent, the others are how a queue may break that.
ON_THE_WAY = (
    "WATCHDOG-BATCH",
    "REQUEST-TRANSPORT",
    "QUEUE-ORDER",
    "QUEUE-EXACTLY-ONCE",
    "QUEUE-SIZE",
    "QUEUE-SIZE-STABLE",
    "QUEUE-GET-COLLECTS",
    "QUEUE-GET-EARLY",
    "QUEUE-GET-ZERO-TIMEOUT",
)

# What else a requirement of the server's may show as, seen from a client.
SEEN_BY_CLIENTS = {
    "SERVER-REGISTER": ("CLIENT-ACQUIRE", "REQUEST-RELEASE", "CLIENT-SCOPES-INDEPENDENT"),
    "SERVER-REGISTER-RELEASE": ("CLIENT-RELEASE", "CLIENT-RELEASE-VACUOUS", "REQUEST-RELEASE"),
    "SERVER-REGISTER-REPLACE": ("CLIENT-REACQUIRE",),
}
INDEPENDENT = ("CLIENT-SCOPES-INDEPENDENT", "CLIENT-WORKERS-INDEPENDENT")


def blamed(failure: Failure, again: Try) -> tuple[str, ...]:
    """Return what a difference may be a breach of, the likeliest first.

    `again` takes steps from the beginning, to see what happens if they are a little different.
    """
    steps, difference = failure
    done = {step["do"] for step in steps}
    answers = {answer for step in steps for answer in step.get("answers", {}).values()}
    if "step wall clock" in done:
        return tuple(PARTS["wall clock"].requirements)
    if "raises" in answers:
        return tuple(PARTS["reap raises"].requirements)
    if "fails" in answers:
        return tuple(PARTS["reap fails"].requirements)
    if "clear" in done:
        return tuple(PARTS["clear"].requirements)
    if difference.kind == "asking":
        return ("SERVER-EXPIRED-GROUPED",)
    if "send" in done:
        handed = _handed_over(steps)
        # If they do it one by one, it is not the order in one list that matters.
        found = (again(_one_by_one(handed)) or again(handed)) if handed else failure
        if found is None:
            return _on_the_way(steps, difference.kind)
        steps, difference = found
    if difference.kind == "deadline":
        return ("SERVER-EXPIRED-INCLUSIVE",)
    return _of_the_table(steps, difference.kind)


def _on_the_way(steps: Sequence[Step], kind: str) -> tuple[str, ...]:
    requests = _requests(steps)
    if kind == "reaped" and any("after" not in request for request in requests):
        return ("WATCHDOG-NO-FALSE-REAP", *ON_THE_WAY)
    if not all(request["scope"] in PLAIN for request in requests):
        return ("REQUEST-TRANSPORT", *ON_THE_WAY)
    return ON_THE_WAY


def _of_the_table(steps: Sequence[Step], kind: str) -> tuple[str, ...]:
    requests = _requests(steps)
    last = steps[-1]
    if any(len(step.get("requests", ())) > 1 for step in steps):
        name = "SERVER-REGISTER-ORDER"
    elif last["do"] == "watchdog" and kind == "table":
        name = "WATCHDOG-REAPED"
    elif any("after" not in request for request in requests):
        name = "SERVER-REGISTER-RELEASE"
    elif len({(request["worker"], request["scope"]) for request in requests}) < len(requests):
        name = "SERVER-REGISTER-REPLACE"
    elif last["do"] == "watchdog" and requests:
        name = "WATCHDOG-REAPED"
    else:
        name = "SERVER-REGISTER"
    return (name, *SEEN_BY_CLIENTS.get(name, ()), *INDEPENDENT)


def _handed_over(steps: Sequence[Step]) -> list[Step]:
    """Return steps in which the same requests are handed to the server's table directly.

    Where both ways are needed at once there are none.
    """
    directly = dict(zip(SENDING, REGISTERED, strict=True))
    if {request["worker"] for request in _requests(steps)} & set(REGISTERED):
        return []
    handed: list[Step] = []
    waiting: list[dict[str, Any]] = []
    for step in steps:
        if step["do"] == "send":
            waiting += [{**r, "worker": directly[r["worker"]]} for r in step["requests"]]
            continue
        if step["do"] == "advance":
            waiting = [_later(request, step["ms"]) for request in waiting]
        elif waiting:
            # A watchdog registers all that it gets in one list.
            handed.append({"do": "register", "requests": waiting})
            waiting = []
        handed.append(step)
    return handed


def _one_by_one(steps: Sequence[Step]) -> list[Step]:
    """Return steps in which each request is handed over by itself."""
    return [
        one
        for step in steps
        for one in (
            [{**step, "requests": [request]} for request in step["requests"]]
            if "requests" in step
            else [step]
        )
    ]


def _later(request: dict[str, Any], ms: int) -> dict[str, Any]:
    """Return a request for the same expiration time, made so much later."""
    if "after" not in request:
        return request
    return {**request, "after": request["after"] - ms / 1000}


def _requests(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [request for step in steps for request in step.get("requests", ())]

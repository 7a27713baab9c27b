"""The steps of real processes, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from elastic_timer_conformance.machine.trace import Step, plainly, shown

__all__ = ["described"]

SERVER = {
    "suspend server": "the server's process is suspended",
    "resume server": "the server's process goes on",
    "stop server": "the server is stopped",
    "start server": "the server is started again",
    "kill server": "the server's process is killed",
    "replace server": "another server takes its place",
    "half": "half of a request arrives",
    "expire": "time passes until all short timers have expired",
}

# Of one, and of several.
WORKERS = {
    "start": ("starts", "start"),
    "busy": ("acquires and releases all the time", "acquire and release all the time"),
    "rest": ("comes to rest", "come to rest"),
    "kill": ("is killed", "are killed"),
    "stop": ("is stopped", "are stopped"),
    "continue": ("goes on", "go on"),
}


def described(step: Step) -> str:
    """Return a step in one line, for people."""
    match step:
        case {"do": str(what)} if what in SERVER:
            return SERVER[what]
        case {"do": "order", "orders": list(orders)}:
            return "; ".join(map(_order, orders))
        case {"do": str(what), "workers": list(workers)} if what in WORKERS:
            return f"{_named(workers)} {WORKERS[what][len(workers) > 1]}"
        case {"do": "fork", "worker": worker, "child": child}:
            return f"worker {worker} forks worker {child}"
        case {"do": "step clock", "ms": ms}:
            return f"the server's wall clock jumps by {ms / 1000:+g} s"
        case {"do": "garbage", "kind": kind}:
            return f"what is no request arrives: {kind}"
    return plainly(step)


def _order(order: dict[str, Any]) -> str:
    who = f"worker {order['worker']}"
    scope = shown(order.get("scope", ""))
    time = order.get("time")
    then = f", and hangs at once in {order['then']}" if "then" in order else ""
    match order["to"]:
        case "acquire":
            return f"{who} acquires {scope} for a {time} time{then}"
        case "release":
            return f"{who} releases {scope}{then}"
        case "enter":
            return f"{who} enters a block of {scope} for a {time} time"
        case "leave":
            return f"{who} leaves its innermost block"
        case "end":
            return f"{who} ends"
    return f"{who}: {order}"


def _named(workers: Sequence[int]) -> str:
    if len(workers) == 1:
        return f"worker {workers[0]}"
    return f"workers {', '.join(map(str, workers[:-1]))} and {workers[-1]}"

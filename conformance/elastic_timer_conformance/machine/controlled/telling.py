"""The steps of a server on a controlled clock, in words."""

from __future__ import annotations

from typing import Any

from elastic_timer_conformance.machine.trace import Step, plainly, shown

__all__ = ["described"]


def described(step: Step) -> str:
    """Return a step in one line, for people."""
    match step:
        case {"do": ("send" | "register") as how, "requests": list(requests)}:
            return f"{how} " + ", ".join(map(_request, requests))
        case {"do": "advance", "ms": ms}:
            return f"{ms / 1000:g} s pass"
        case {"do": "step wall clock", "ms": ms}:
            return f"the server's wall clock jumps by {ms / 1000:+g} s"
        case {"do": "watchdog", "answers": dict(answers)}:
            reaping = [f"reaping worker {worker} {how}" for worker, how in answers.items()]
            return ", where ".join(["one watchdog", *reaping])
        case {"do": "clear", "workers": workers}:
            return f"clear_timers of the workers {workers}"
    return plainly(step)


def _request(request: dict[str, Any]) -> str:
    who = f"worker {request['worker']}, scope {shown(request['scope'])}"
    if "after" not in request:
        return f"[{who}: release]"
    return f"[{who}: acquire, {request['after']:+g} s]"

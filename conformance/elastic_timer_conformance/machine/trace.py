"""Traces: what was done, step by step, as data that can be kept, read and done again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Step", "Trace", "TraceError", "described"]

VERSION = 1

Step = dict[str, Any]
"""What is done under `do`, and its details under other names; all of it can be written as JSON."""


class TraceError(ValueError):
    """A file is no trace; the message says why."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Steps, and what came of them when they were written down."""

    machine: str
    """Which machine takes the steps: `controlled` or `real`."""
    steps: Sequence[Step]
    backend: str = ""
    """The name of the backend for which this was written."""
    difference: str = ""
    """What was demanded and what was seen after the last step."""
    requirements: Sequence[str] = ()
    """What the difference is held against."""

    def write(self, path: Path) -> None:
        """Write it into a file, one step a line."""
        document = {"version": VERSION, **asdict(self)}
        steps = ",\n".join(f"    {json.dumps(step, ensure_ascii=True)}" for step in self.steps)
        document["steps"] = "STEPS"
        text = json.dumps(document, indent=2)
        path.write_text(text.replace('"STEPS"', f"[\n{steps}\n  ]", 1) + "\n", encoding="ascii")

    @classmethod
    def read(cls, path: Path) -> Trace:
        """Read one from a file. Raises TraceError if it is none, OSError if it cannot be read."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise TraceError(f"{path} is no trace: it is not JSON ({error})") from None
        if not isinstance(document, dict) or "steps" not in document:
            raise TraceError(f"{path} is no trace: it is not an object with 'steps'")
        if document.get("version") != VERSION:
            raise TraceError(
                f"{path} is a trace of version {document.get('version')!r}; "
                f"this suite reads version {VERSION}"
            )
        steps = document["steps"]
        if not isinstance(steps, list) or not all(
            isinstance(step, dict) and isinstance(step.get("do"), str) for step in steps
        ):
            raise TraceError(f"{path} is no trace: every step is an object that says what to 'do'")
        return cls(
            str(document.get("machine")),
            steps,
            str(document.get("backend", "")),
            str(document.get("difference", "")),
            tuple(map(str, document.get("requirements", ()))),
        )


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
    details = [f"{name} {value}" for name, value in step.items() if name != "do"]
    return ", ".join([step["do"], *details])


def _request(request: dict[str, Any]) -> str:
    who = f"worker {request['worker']}, scope {_short(request['scope'])}"
    if "after" not in request:
        return f"[{who}: release]"
    return f"[{who}: acquire, {request['after']:+g} s]"


def _short(scope: str) -> str:
    return ascii(scope) if len(scope) <= 40 else f"{scope[:20]!a}… of {len(scope)} characters"

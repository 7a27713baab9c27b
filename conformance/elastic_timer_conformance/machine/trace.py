"""Traces: what was done, step by step, as data that can be kept, read and done again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["Step", "Trace", "TraceError", "action_of", "plainly", "shown"]

VERSION = 1

Step = dict[str, Any]
"""What is done under `do`, and its details under other names; all of it can be written as JSON."""


class TraceError(ValueError):
    """A file is no trace; the message says why."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Steps, and what came of them when they were written down."""

    machine: str
    """Which machine takes the steps, by its name in `machines.MACHINES`."""
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


def plainly(step: Step) -> str:
    """Return a step in one line as it stands, for what nobody has put into words."""
    details = [f"{name} {value}" for name, value in step.items() if name != "do"]
    return ", ".join([step["do"], *details])


def shown(scope: str) -> str:
    """Return a scope as it can be read, and not at any length."""
    return ascii(scope) if len(scope) <= 40 else f"{scope[:20]!a}… of {len(scope)} characters"


def action_of(run: object, step: Step) -> Callable[[], Any]:
    """Return what takes a step: the method of a run that is named after it.

    Raises TraceError if there is none.
    """
    action = getattr(run, "_do_" + step["do"].replace(" ", "_"), None)
    if action is None:
        raise TraceError(f"this machine knows no step {step['do']!r}")
    return partial(action, **{name: value for name, value in step.items() if name != "do"})

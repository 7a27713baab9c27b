"""What workers have held, by their entries in the journal, and so what they are owed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from elastic_timer_spec.model.promises import Call, Promises

from elastic_timer_conformance.harness.journal import Entry

__all__ = ["promises_of"]


def promises_of(entries: Iterable[Entry], grace: float = 0.0) -> Promises:
    """Return what the workers that have written these entries are owed, each by its process id.

    A call that did not return, since its worker was killed in it or since it raised, may have had
    its effect or not. Every other one counts as having returned `grace` seconds later than it has:
    for transports that take so long to carry a request.
    """
    promises = Promises()
    begun: dict[Any, Entry] = {}

    def end(entry: Entry, *, returned: float = float("inf")) -> None:
        """Note a call that is over; `entry` is what was written when it began."""
        nonlocal promises
        worker, scope = entry["pid"], entry.get("scope")
        call = Call(entry["at"], returned + grace)
        if entry["event"] in ("releasing", "release"):
            promises = promises.released(worker, scope, call)
        else:
            promises = promises.acquired(worker, scope, entry["deadline"], call)

    for entry in entries:
        match entry["event"]:
            case "acquiring" | "releasing":
                begun[entry["pid"]] = entry
            case "acquire unless refused" if entry["refused"]:
                # Nobody reads, says the client: nothing was sent.
                begun.pop(entry["pid"], None)
            case "acquire" | "acquire unless refused" | "entered" | "release":
                beginning = begun.pop(entry["pid"], entry)
                end({**entry, "at": beginning["at"]}, returned=entry["at"])
            case "done" if "refused" in entry and entry["pid"] in begun:
                end(begun.pop(entry["pid"]))
    for entry in begun.values():
        end(entry)
    return promises

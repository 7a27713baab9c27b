"""How workers tell the test what they did and when: a file that each appends lines to."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["Entry", "Journal"]

# How often a waiting test looks again: often beside any time that is measured, rarely enough
# to cost nothing.
LOOK_AGAIN = 0.005

Entry = dict[str, Any]


class Journal:
    """A file of JSON lines, written by any number of processes and read by the test.

    An entry is one write(2) to a file opened with O_APPEND, so entries are whole even if their
    writer is killed, and need no thread or lock of the worker's. Gates go the other way: the
    test opens one by name, and workers wait for it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)

    def write(self, event: str, **details: Any) -> None:
        """Append an entry: what happened, in which process, at which monotonic time."""
        entry = {"event": event, "pid": os.getpid(), "at": time.monotonic(), **details}
        self._append((json.dumps(entry) + "\n").encode())

    def _append(self, line: bytes) -> None:
        descriptor = self._open()
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def entries(self, event: str | None = None, pid: int | None = None) -> list[Entry]:
        """Return the entries so far, in order: all, or those of one event or one process."""
        try:
            lines = Path(self.path).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        found: list[Entry] = [json.loads(line) for line in lines]
        return [
            entry
            for entry in found
            if event in (None, entry["event"]) and pid in (None, entry["pid"])
        ]

    def wait_for(
        self,
        event: str,
        timeout: float,
        *,
        pid: int | None = None,
        count: int = 1,
        is_alive: Callable[[], bool] = lambda: True,
    ) -> Entry:
        """Return the `count`-th entry of this event, once it is there.

        Raises AssertionError, showing the journal, when it is not within `timeout` seconds, or as
        soon as nobody is alive who could write it.
        """
        end = time.monotonic() + timeout
        while True:
            # Asked first: what a process has written before its death is found.
            alive = is_alive()
            if len(found := self.entries(event, pid)) >= count:
                return found[count - 1]
            if not alive or time.monotonic() >= end:
                who = "any worker" if pid is None else f"the worker {pid}"
                limit = f"within {timeout} s" if alive else "before its death"
                raise AssertionError(
                    f"no {event!r} ({count}.) from {who} {limit}; its journal has "
                    f"{[entry['event'] for entry in self.entries(pid=pid)]}"
                )
            time.sleep(LOOK_AGAIN)

    def open_gate(self, name: str) -> None:
        """Let everybody go on who waits, or will wait, at the gate of this name."""
        Path(f"{self.path}.{name}").touch()

    def wait_at_gate(self, name: str) -> None:
        """Wait, without bound, until the gate is open; the test that holds it shut has one."""
        while not os.path.exists(f"{self.path}.{name}"):
            time.sleep(LOOK_AGAIN)

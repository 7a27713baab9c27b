"""What has been killed by which test, kept beside the source: ``killed.json``.

To try out all mutants takes an hour or two, half of which goes into those that were killed the last
time, too. So a run anywhere begins with what earlier ones have killed, as long as the module is the
same to the byte: the suite is expected to get better. Who doubts that takes the file away, and
begins anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["KILLED", "Kills", "digest_of", "read"]

KILLED = Path(__file__).parent / "killed.json"

Place = tuple[str, str, int]
"""The line, what it was changed to, and which of several such changes it is."""


def digest_of(source: str) -> str:
    """Return what a module's source is recognised by."""
    return hashlib.sha256(source.encode()).hexdigest()


@dataclass
class Kills:
    """By module: the digest of its source, and the test that has killed each mutant."""

    modules: dict[str, tuple[str, dict[Place, str]]] = field(default_factory=dict)

    def add(self, module: str, digest: str, place: Place, test: str) -> None:
        """Remember one; what is known of another source of the module is forgotten."""
        if self.modules.get(module, ("", {}))[0] != digest:
            self.modules[module] = digest, {}
        self.modules[module][1][place] = test

    def killer(self, module: str, digest: str, place: Place) -> str | None:
        """Return the test that has killed a mutant of just this source, if it is known."""
        known, tests = self.modules.get(module, ("", {}))
        return tests.get(place) if known == digest else None

    def write(self, path: Path = KILLED) -> None:
        """Write them down, a line each."""
        modules = (
            f' "{module}": {{"source": "{digest}", "killed": [\n{_lines(tests)}\n ]}}'
            for module, (digest, tests) in sorted(self.modules.items())
        )
        path.write_text("{\n" + ",\n".join(modules) + "\n}\n", "utf-8")


def _lines(tests: Mapping[Place, str]) -> str:
    entries = ([*place, test] for place, test in sorted(tests.items()))
    return ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in entries)


def read(path: Path = KILLED) -> Kills:
    """Read what was written; nothing is known where there is no such file."""
    if not path.exists():
        return Kills()
    document: Mapping[str, Mapping[str, Any]] = json.loads(path.read_text("utf-8"))
    return Kills(
        {name: (each["source"], _places(each["killed"])) for name, each in document.items()}
    )


def _places(entries: Iterable[Sequence[Any]]) -> dict[Place, str]:
    return {(line, mutant, occurrence): test for line, mutant, occurrence, test in entries}

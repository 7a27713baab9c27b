"""What has been killed by which test, kept beside the source: ``killed.json``.

To try out all mutants takes an hour or two, half of which goes into those that were killed the last
time, too. So a run anywhere begins with what earlier ones have killed, as long as the module is the
same to the byte: the suite is expected to get better. Who doubts that takes the file away, and
begins anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .mutant import Change

__all__ = ["KILLED", "Kills", "digest_of", "read"]

KILLED = Path(__file__).parent / "killed.json"


def digest_of(source: str) -> str:
    """Return what a module's source is recognised by."""
    return hashlib.sha256(source.encode()).hexdigest()


@dataclass
class Kills:
    """By module: the digest of its source, and the test that has killed each mutant."""

    modules: dict[str, tuple[str, dict[Change, str]]] = field(default_factory=dict)

    def add(self, change: Change, digest: str, test: str) -> None:
        """Remember one; what is known of another source of its module is forgotten."""
        if self.modules.get(change.module, ("", {}))[0] != digest:
            self.modules[change.module] = digest, {}
        self.modules[change.module][1][change] = test

    def killer(self, change: Change, digest: str) -> str | None:
        """Return the test that has killed a mutant of just this source, if it is known."""
        known, tests = self.modules.get(change.module, ("", {}))
        return tests.get(change) if known == digest else None

    def write(self, path: Path = KILLED) -> None:
        """Write them down, a line each."""
        modules = (
            f' "{module}": {{"source": "{digest}", "killed": [\n{_lines(tests)}\n ]}}'
            for module, (digest, tests) in sorted(self.modules.items())
        )
        path.write_text("{\n" + ",\n".join(modules) + "\n}\n", "utf-8")


def _lines(tests: Mapping[Change, str]) -> str:
    entries = sorted(
        [each.line, each.mutant, each.occurrence, test] for each, test in tests.items()
    )
    return ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in entries)


def read(path: Path = KILLED) -> Kills:
    """Read what was written; nothing is known where there is no such file."""
    if not path.exists():
        return Kills()
    document: Mapping[str, Mapping[str, Any]] = json.loads(path.read_text("utf-8"))
    return Kills(
        {
            module: (
                each["source"],
                {Change(module, *change): test for *change, test in each["killed"]},
            )
            for module, each in document.items()
        }
    )

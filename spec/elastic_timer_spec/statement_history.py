"""What a requirement demanded earlier, from the project's own history, and what has changed."""

from __future__ import annotations

import difflib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

__all__ = ["earlier_statement", "word_diff"]

# To search the history takes git a fraction of a second; this only has to end one that is stuck.
_SECONDS: Final = 60


def earlier_statement(requirement_id: str, digest: str, file: Path) -> str | None:
    """Return the statement that had this digest, or the start of it, in a version of the file.

    `file` is a `specification.json`. None is returned where the history does not tell: outside of
    a checkout, without git, or if that version was never committed.
    """
    # The versions that came or went with the digest; what went with one was there before it.
    commits = _git(file, "log", "--format=%H", f"-S{digest}", "--", file.name).split()
    for version in (candidate for commit in commits for candidate in (commit, f"{commit}^")):
        for entry in _requirements(_git(file, "show", f"{version}:./{file.name}")):
            if entry["id"] == requirement_id and entry["digest"].startswith(digest):
                return str(entry["statement"])
    return None


def _git(file: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=file.parent,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if done.returncode else done.stdout.decode(errors="replace")


def _requirements(text: str) -> list[dict[str, Any]]:
    try:
        return list(json.loads(text)["requirements"])
    except (ValueError, KeyError, TypeError):
        return []


def word_diff(old: str, new: str) -> str:
    """Return the new text with what was [-taken away-] and what was {+added+}, as git shows it."""
    return " ".join(_pieces(old.split(), new.split()))


def _pieces(old: list[str], new: list[str]) -> Iterator[str]:
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            yield from new[new_start:new_end]
            continue
        if old_start < old_end:
            yield f"[-{' '.join(old[old_start:old_end])}-]"
        if new_start < new_end:
            yield f"{{+{' '.join(new[new_start:new_end])}+}}"

"""Copies of the project as it was committed: one to be looked at, the others to be hurt."""

from __future__ import annotations

import compileall
import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

__all__ = ["PACKAGES", "CopyError", "changed_files", "find_commit", "make_copy", "take_snapshot"]

PACKAGES = ("spec", "reference_impl", "conformance", "docs/examples")
"""What is copied: all that a run of the suite needs, and nothing that could take its place."""


class CopyError(Exception):
    """The project cannot be copied."""


def find_commit(project: Path, name: str) -> str:
    """Return the hash of a commit that goes by this name."""
    return _git(project, "rev-parse", "--verify", f"{name}^{{commit}}").decode().strip()


def changed_files(project: Path) -> list[str]:
    """Return the files in the working tree that a snapshot would have differently."""
    status = _git(project, "status", "--porcelain", "--", *PACKAGES)
    return [line[3:] for line in status.decode().splitlines()]


def take_snapshot(project: Path, commit: str, target: Path) -> None:
    """Write the packages as they were at a commit into ``target``."""
    archive = _git(project, "archive", "--format=tar", commit, "--", *PACKAGES)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(target, filter="data")


def make_copy(snapshot: Path, target: Path) -> None:
    """Make ``target`` a copy of the snapshot, in the place of what was there."""
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(snapshot, target, symlinks=True)
    (target / "tmp").mkdir()
    # Compiled here once, for what runs in the copy writes no such files.
    compileall.compile_dir(target, quiet=1)


def _git(project: Path, *arguments: str) -> bytes:
    # Whoever else calls git in this project is not to be held up, nor this by them.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        return subprocess.run(
            ["git", *arguments], cwd=project, env=environment, check=True, capture_output=True
        ).stdout
    except FileNotFoundError:
        raise CopyError("git is not installed; it makes the copies that are mutated") from None
    except subprocess.CalledProcessError as error:
        raise CopyError(
            f"git {arguments[0]} failed: {error.stderr.decode().strip()}; "
            "what is mutated is a copy of the last commit, so run this in a git checkout"
        ) from None

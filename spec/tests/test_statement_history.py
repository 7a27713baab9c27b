"""An earlier statement is found by its digest in the history, and the change is shown."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from elastic_timer_spec.needs_json import digest
from elastic_timer_spec.statement_history import earlier_statement, word_diff

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

FIRST = "It MUST be so."
SECOND = "It MUST be otherwise."
THIRD = "It MUST be both."


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    command = ["git", *who, "-c", "commit.gpgsign=false", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


def write(file: Path, **statements: str) -> None:
    requirements = [
        {"id": name, "statement": text, "digest": digest(text)} for name, text in statements.items()
    ]
    file.write_text(json.dumps({"requirements": requirements}, indent=2), encoding="utf-8")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A specification of which two versions were committed, and a third one was not."""
    folder = tmp_path / "checkout" / "deep"
    folder.mkdir(parents=True)
    file = folder / "specification.json"
    git(tmp_path / "checkout", "init", "-q")
    for text in (FIRST, SECOND):
        write(file, A=text, B=FIRST + SECOND)
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", text)
    write(file, A=THIRD, B=FIRST)
    return file


@pytest.mark.parametrize("statement", [FIRST, SECOND])
def test_every_committed_statement_is_found(file: Path, statement: str) -> None:
    assert earlier_statement("A", digest(statement)[:8], file) == statement


@pytest.mark.parametrize(
    ("requirement", "statement"), [("A", THIRD), ("A", "Never."), ("B", FIRST), ("C", FIRST)]
)
def test_what_was_never_committed_is_not(file: Path, requirement: str, statement: str) -> None:
    assert earlier_statement(requirement, digest(statement)[:8], file) is None


def test_without_a_history_nothing_is_found(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = tmp_path / "specification.json"
    write(alone, A=FIRST)
    assert earlier_statement("A", digest(FIRST)[:8], alone) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert earlier_statement("A", digest(FIRST)[:8], file) is None


def test_a_version_that_cannot_be_read_is_passed_over(file: Path) -> None:
    file.write_text(f'{{"requirements": "{digest(FIRST)}', encoding="utf-8")
    git(file.parent, "commit", "-qam", "Break it")
    assert earlier_statement("A", digest(FIRST)[:8], file) == FIRST


def test_a_difference_is_shown_by_words() -> None:
    assert word_diff("It MUST be so.", "It SHOULD  not\nbe so, now.") == (
        "It [-MUST-] {+SHOULD not+} be [-so.-] {+so, now.+}"
    )
    assert word_diff("a b", "a b c") == "a b {+c+}"
    assert word_diff("a b", "b") == "[-a-] b"

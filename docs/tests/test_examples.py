"""What the pages show works: scripts, blocks of Python, and commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser

DOCS = Path(__file__).parent.parent
ROOT = DOCS.parent
EXAMPLES = DOCS / "examples"
PAGES = sorted(
    page
    for folder in (DOCS, ROOT / "spec" / "text")
    for page in folder.rglob("*.md")
    if "_build" not in page.parts and (DOCS / "specification") not in page.parents
)
PRINTING = sorted(EXAMPLES.glob("*.out"))

# Far above what any example takes, for a machine that is busy with other things: two seconds, and
# half a minute where a backend is judged by the whole core profile.
TIMEOUT = 600


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("expected", PRINTING, ids=lambda path: path.stem)
def test_an_example_prints_what_is_kept_beside_it(expected: Path) -> None:
    result = subprocess.run(
        [sys.executable, expected.with_suffix(".py")],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert result.stdout == expected.read_text("utf-8"), result.stderr
    assert result.returncode == 0, result.stderr


def test_every_example_is_shown_and_every_script_is_run() -> None:
    # What is in a folder of its own has a test of its own.
    pattern = r"\{literalinclude\} (?:\.\./)*examples/([^\s/]+)$"
    shown = set(re.findall(pattern, _text_of_all_pages(), re.M))
    scripts = {script.name for script in EXAMPLES.glob("*.py")}
    assert {example for example in shown if example.endswith(".py")} == scripts
    assert shown <= {file.name for file in EXAMPLES.iterdir()}
    # These two make up a backend, which the commands of the guide have judged, below.
    assert scripts - {f"{file.stem}.py" for file in PRINTING} == {
        "socket_backend.py",
        "socket_timer.py",
    }


def _pages_with_python() -> list[Path]:
    return [page for page in PAGES if re.search(r"^```python$", page.read_text("utf-8"), re.M)]


@pytest.mark.parametrize("page", _pages_with_python(), ids=name)
def test_the_python_in_a_page_runs(page: Path) -> None:
    examples = list(Sybil(parsers=[PythonCodeBlockParser()]).parse(page).examples())
    assert examples
    for example in examples:
        example.evaluate()


def _text_of_all_pages() -> str:
    return "\n".join(page.read_text("utf-8") for page in PAGES)


def _commands() -> list[str]:
    return sorted(set(re.findall(r"^\$ (.+)$", _text_of_all_pages(), re.M)))


def _ours(command: str) -> bool:
    return command.startswith(
        ("python -m elastic_timer_conformance ", "python -m elastic_timer_spec explore")
    )


def test_other_commands_are_those_of_the_readme() -> None:
    """The README's commands are run by continuous integration, as a test of its own says."""
    readme = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert [entry for entry in _commands() if not _ours(entry) and entry not in readme] == []


@pytest.mark.parametrize("command", [entry for entry in _commands() if _ours(entry)])
def test_a_command_that_judges_is_right(command: str, tmp_path: Path) -> None:
    arguments = command.split()[1:]
    if "local" in arguments:
        # The backend has tests of its own: here it is the options, and one requirement is enough.
        arguments += ["--requirement", "REQUEST-FIELDS"]
    if arguments[-1] == "explore":
        # To the full depth in the session spec, which compares the page's figures with it.
        arguments += ["--depth", "3"]
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for file in re.findall(r"\S+\.json", command):
        assert (tmp_path / file).is_file()

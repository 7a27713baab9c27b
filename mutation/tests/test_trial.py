"""A trial judges the copy that it is given, as it is then, and harms nobody."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mutation.apart import NOT_APART, fork_apart
from mutation.copies import PACKAGES, make_copy
from mutation.suite import EndedError, Suite
from mutation.targets import PACKAGE, path_of
from mutation.warm import Request

ROOT = Path(__file__).parent.parent.parent

EQUALITY = "suite/test_request.py::test_unequal_to_another_type[scope]"
DECORATED = "suite/test_expires.py::test_guards_each_call_of_a_decorated_function"

# A run of one test takes a tenth of a second; this only ends what hangs.
ENOUGH = 60.0


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three packages as they are, committed or not."""
    target: Path = tmp_path_factory.mktemp("project") / "snapshot"
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, target / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return target


@pytest.fixture(scope="module")
def copy(snapshot: Path) -> Path:
    make_copy(snapshot, snapshot.with_name("copy"))
    return snapshot.with_name("copy")


@pytest.fixture(scope="module")
def suite(copy: Path) -> Iterator[Suite]:
    with Suite(copy, "local") as suite:
        yield suite


def begin_apart(work: Callable[[], object]) -> int:
    """Do something in a process apart, which ends with 0 if that has returned."""
    child = fork_apart()
    if child == 0:
        # Whatever happens, this must not go on with the tests.
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def end_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_nothing_outside_can_be_signalled() -> None:
    outside = os.getpid()

    def work() -> None:
        assert os.getpid() < outside
        assert not os.path.exists(f"/proc/{outside}")
        # To everybody but the caller and the first process: there is nobody else.
        with pytest.raises(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)

    assert end_of(begin_apart(work)) == 0


def test_what_was_started_ends_with_the_trial() -> None:
    reading, writing = os.pipe()

    def work() -> None:
        if os.fork() == 0:
            os.setsid()
            time.sleep(2 * ENOUGH)

    child = begin_apart(work)
    os.close(writing)
    assert end_of(child) == 0
    assert os.read(reading, 1) == b""  # nobody has the other end any more
    os.close(reading)


def test_what_was_started_ends_with_whoever_waits_for_it() -> None:
    reading, writing = os.pipe()
    child = begin_apart(lambda: time.sleep(2 * ENOUGH))
    os.close(writing)
    os.kill(child, signal.SIGKILL)
    assert end_of(child) == -signal.SIGKILL
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_the_copy_is_judged_as_it_is_at_the_time(copy: Path, suite: Suite) -> None:
    request = Request(tests=[EQUALITY], timeout=ENOUGH)
    assert suite.run(request).status == 0
    source = copy / PACKAGE / "api.py"
    text = source.read_text("utf-8")
    source.write_text(text + "\n\nTimerRequest.__ne__ = lambda self, other: False\n", "utf-8")
    broken = suite.run(request)
    assert broken.status not in (0, None, NOT_APART)
    assert broken.failed == EQUALITY
    source.write_text("raise RuntimeError\n", "utf-8")
    unusable = suite.run(request)
    assert unusable.status not in (0, None, NOT_APART)
    assert unusable.failed == ""
    source.write_text(text, "utf-8")
    assert suite.run(request).status == 0


def test_what_is_optional_is_missed(copy: Path, suite: Suite) -> None:
    source = copy / path_of("expires")
    text = source.read_text("utf-8")
    source.write_text(text + "\n\ndel expires.__call__\n", "utf-8")
    assert suite.run(Request(tests=[DECORATED], timeout=ENOUGH)).failed == DECORATED
    source.write_text(text, "utf-8")


def test_what_does_not_end_is_ended(suite: Suite) -> None:
    assert suite.run(Request("interface", timeout=0.1)).status is None
    assert suite.run(Request(tests=[EQUALITY], timeout=ENOUGH)).status == 0


def test_a_suite_that_has_ended_says_so(copy: Path) -> None:
    with Suite(copy, "local") as suite:
        os.kill(suite.pid, signal.SIGKILL)
        with pytest.raises(EndedError, match="The suite ended: -9"):
            suite.run(Request(tests=[EQUALITY], timeout=ENOUGH))

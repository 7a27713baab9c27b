"""A pytest plugin that keeps the suite warm: imported and collected once, run as often as asked.

To start Python, import pytest and collect the tests takes ten times as long as most mutants live.
So the process that has done it waits for requests on a socket, and forks for each of them. The
child imports the reference implementation anew, as it is then, and goes on as pytest does. Whatever
could differ from a run from scratch would show in the controls.

A request and an answer are one line of JSON each; see :class:`Request` and :class:`Answer`.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import pytest
from elastic_timer_conformance.backends import load_backend
from elastic_timer_conformance.fixtures import RUN
from elastic_timer_conformance.layer import Layer

from .apart import fork_apart
from .targets import TIMEOUT

__all__ = ["SOCKET", "Answer", "Request", "chosen", "is_slow_to_fail"]

SOCKET = "MUTATION_SOCKET"
"""The environment variable with the number of the socket's descriptor."""

_FAILED = Path(".failed-test")
"""Where the first test that fails is named, in the copy that is judged."""

_ANEW = (
    "elastic_timer.",
    "elastic_timer_conformance.backends.",
    "socket_backend.",
    "socket_timer.",
)
"""What is imported anew: the implementation, and all that imports it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be run, up to the first failure."""

    layer: str = ""
    """One layer of the suite; if it is empty, a few tests alone."""
    tests: Sequence[str] = ()
    """These first, by their node ids and in this order."""
    timeout: float = TIMEOUT
    """Seconds until it is ended."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it."""

    status: int | None
    """pytest's exit status; None if the timeout was over."""
    failed: str
    """The test that failed, if it was one."""


def is_slow_to_fail(name: str) -> bool:
    """Tell whether a test, once it has failed, looks on for a shorter way to do so."""
    return "test_model.py" in name


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> object:
    """Answer requests. In the child of one, return nothing, which makes pytest run the tests."""
    if session.testsfailed:
        return None
    with socket.socket(fileno=int(os.environ.pop(SOCKET))) as channel:
        lines = channel.makefile("rw", encoding="utf-8")
        # Or else every child would copy the memory page by page, to count what it never frees.
        gc.collect()
        gc.freeze()
        print(json.dumps({"tests": len(session.items)}), file=lines, flush=True)
        for line in lines:
            request = Request(**json.loads(line))
            _FAILED.unlink(missing_ok=True)
            keeper = fork_apart()
            if keeper == 0:
                break
            _answer(lines, _wait(keeper, request.timeout, channel))
        else:
            return True
    _prepare(session, request)
    return None


def _wait(keeper: int, timeout: float, channel: socket.socket) -> int | None:
    """Wait for the end of a trial, unless it takes too long or nobody wants to know any more."""
    descriptor = os.pidfd_open(keeper)
    try:
        # Not select(2): it knows no descriptor above 1023, and the channel's was inherited.
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.register(channel, select.POLLIN)
        ended = descriptor in dict(poll.poll(timeout * 1000))
        if not ended:
            os.kill(keeper, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1])
        return status if ended else None
    finally:
        os.close(descriptor)


def _answer(lines: IO[str], status: int | None) -> None:
    failed = _FAILED.read_text("utf-8") if _FAILED.exists() else ""
    print(json.dumps(asdict(Answer(status, failed))), file=lines, flush=True)


def _prepare(session: pytest.Session, request: Request) -> None:
    for name in [name for name in sys.modules if f"{name}.".startswith(_ANEW)]:
        if name != "elastic_timer_conformance.backends":
            del sys.modules[name]
    run = session.config.stash[RUN]
    run.backend = load_backend(run.spec)
    session.items = chosen(session.items, request)
    session.config.pluginmanager.register(_FirstFailure(session))


def chosen(items: Sequence[pytest.Item], request: Request) -> list[pytest.Item]:
    """Return the tests that a request is about, in the order in which they are to be run."""
    by_name = {item.nodeid: item for item in items}
    first = [by_name[name] for name in request.tests if name in by_name]
    if not request.layer:
        return first
    layer = Layer(request.layer)
    found = [item for item in items if Layer.of(getattr(item, "fixturenames", ())) is layer]
    found.sort(key=lambda item: is_slow_to_fail(item.nodeid))
    # Whatever layer they are of: when others went before, nobody knew yet that they are likely.
    return list(dict.fromkeys([*first, *found]))


class _FirstFailure:
    """Ends the run at the first test that fails, and writes down which one it was.

    What is optional may be missing, so the suite goes on when it is; but the reference
    implementation has it, and a mutant that has lost it is a failure here.
    """

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End at once: a summary is of no use, and taking the process apart takes longer."""
        sys.stdout.flush()
        os._exit(int(session.exitstatus))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        expected = getattr(report, "failed_as_expected", False)
        known = self._session.config.stash[RUN].deviations
        lost = expected and not any(name in known for name in getattr(report, "requirements", ()))
        if (report.failed or lost) and not _FAILED.exists():
            _FAILED.write_text(report.nodeid, "utf-8")
            self._session.shouldfail = f"{report.nodeid} failed"

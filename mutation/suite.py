"""The suite, ready to judge one copy of the project again and again."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from .apart import NOT_APART
from .copies import PACKAGES
from .targets import EXAMPLE, QUEUE
from .warm import SOCKET, Answer, Request

__all__ = ["EndedError", "Suite", "SuiteError"]

_HERE = Path(__file__).parent.parent
"""Where the plugin is taken from: the copies do not have it."""

_TEST_TIMEOUT = 60
"""Seconds for one test. Alone, the longest takes a tenth of this; one that hangs is a mutant's
doing."""

_OPTIONS = {
    # To flood such a queue takes a minute, and says more of the queue than of who reads it.
    QUEUE: ("-k", "not flooded_server"),
    # It claims no more, and says so.
    EXAMPLE: ("--profile=core",),
}
"""By backend, what is run of the suite, where it is not all."""

_EXAMPLES = 5
"""Sequences of steps for each test that compares the backend with the model: a quarter of what it
tries otherwise, as for wrong backends, since that is half of the time that a survivor takes."""

_SHOWN = 20
"""Lines of output."""


class SuiteError(Exception):
    """The suite cannot be run on a copy."""


class EndedError(SuiteError):
    """The suite does not wait any more."""


class Suite:
    """The suite for one backend, on one copy of the project, collected and waiting.

    Args:
        copy: the copy's root; all packages of the project come from there.
        backend: what is judged.

    Raises:
        SuiteError: the suite could not even be collected.
    """

    def __init__(self, copy: Path, backend: str) -> None:
        self._log = copy / f"suite-{backend}.log"
        path = os.pathsep.join(map(str, (*(copy / package for package in PACKAGES), _HERE)))
        ours, theirs = socket.socketpair()
        with theirs, self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                suite_command(backend),
                cwd=copy,
                # A module that is written twice in a second, each time with as many bytes, would
                # be taken from what was compiled the first time.
                env={
                    **os.environ,
                    "PYTHONPATH": path,
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "TMPDIR": str(copy / "tmp"),
                    SOCKET: str(theirs.fileno()),
                },
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._socket = ours
        self._lines = ours.makefile("rw", encoding="utf-8")
        if not self._lines.readline():
            raise SuiteError(self._end_of_log())

    @property
    def pid(self) -> int:
        """The process that waits."""
        return self._process.pid

    def run(self, request: Request) -> Answer:
        """Run what is asked for, and return what came of it.

        Raises:
            SuiteError: it could not be run.
        """
        answer = ""
        with suppress(ConnectionError):
            print(json.dumps(asdict(request)), file=self._lines, flush=True)
            answer = self._lines.readline()
        if not answer:
            raise EndedError(f"{self._end_of_log()}\nThe suite ended: {self._process.wait()}")
        found = Answer(**json.loads(answer))
        if found.status == NOT_APART:
            raise SuiteError(
                f"{self._end_of_log()}\nEach run is in a PID namespace of its own, which takes "
                "root's rights or user namespaces (sysctl user.max_user_namespaces)."
            )
        return found

    def close(self) -> None:
        """End the process that waits, and a run that is under way."""
        # What could not be sent to a suite that has ended cannot be sent now either.
        with suppress(ConnectionError):
            self._lines.close()
        self._socket.close()
        self._process.wait()

    def __enter__(self) -> Suite:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _end_of_log(self) -> str:
        lines = self._log.read_text("utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_SHOWN:])


def suite_command(backend: str) -> Sequence[str]:
    """Return the command that runs the suite, as the plugin asks for."""
    return [
        *(sys.executable, "-m", "elastic_timer_conformance", f"--backend={backend}", "-q"),
        *("-p", "mutation.warm", "-p", "no:cacheprovider", f"--timeout={_TEST_TIMEOUT}"),
        f"--examples={_EXAMPLES}",
        *_OPTIONS.get(backend, ()),
    ]

"""The command `replay`: takes the steps of a trace again, on any backend, and says what it sees."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import NotOffered
from elastic_timer_conformance.backends import UnknownBackendError, load_backend
from elastic_timer_conformance.machine.command import WRONG, Parser
from elastic_timer_conformance.machine.difference import Difference
from elastic_timer_conformance.machine.machine import Machine
from elastic_timer_conformance.machine.machines import MACHINES
from elastic_timer_conformance.machine.rules import Run
from elastic_timer_conformance.machine.search import quiet
from elastic_timer_conformance.machine.trace import Trace, TraceError

__all__ = ["main"]

DESCRIPTION = """\
Take the steps of a trace again, on any backend, beside the model.

A machine that finds a backend and the model to differ writes such a file and names it. Each step
is shown with what was seen after it.
"""

EPILOGUE = """\
exit status:
  0  the backend did what the model does
  1  they differ; the difference is shown below the step after which it was seen
  4  the command was wrong, or the backend does not offer what the steps need
"""


def main(arguments: Sequence[str]) -> None:
    """Replay a trace. Exits with the status that the help describes."""
    known = _parser().parse_args(arguments)
    try:
        trace = Trace.read(known.trace)
        sys.exit(0 if _replay(trace, known.backend, known.allowance) else 1)
    except (TraceError, UnknownBackendError, OSError) as error:
        print(f"replay: {error}", file=sys.stderr)
    except NotOffered as error:
        print(f"replay: this trace cannot be replayed here: {error}", file=sys.stderr)
    sys.exit(WRONG)


def _replay(trace: Trace, backend: str, allowance: Allowance) -> bool:
    """Take the steps and show each; return whether there was no difference."""
    machine = MACHINES.get(trace.machine)
    if machine is None:
        raise TraceError(f"there is no machine {trace.machine!r} in this suite")
    for line in _heading(trace, backend):
        print(line)
    with _run_of(machine, backend, allowance) as run:
        for number, step in enumerate(trace.steps, 1):
            print(f"{number:3}. {machine.described(step)}", flush=True)
            if not _tell(lambda step=step: run.do(step)):  # type: ignore[misc]
                return False
        return _tell(run.end, "no difference")


def _heading(trace: Trace, backend: str) -> Iterator[str]:
    yield f"{len(trace.steps)} steps for the machine {trace.machine!r}, on the backend {backend!r}"
    if trace.difference:
        yield f"When they were written down, for {trace.backend!r}: {trace.difference}"
    yield ""


def _tell(action: Callable[[], str | None], otherwise: str = "") -> bool:
    try:
        seen = action()
    except Difference as difference:
        print(f"     ✗ {difference}", flush=True)
        return False
    print(f"     ✓ {seen or otherwise}", flush=True)
    return True


@contextmanager
def _run_of(machine: Machine, backend: str, allowance: Allowance) -> Iterator[Run]:
    """Return what takes the steps, with everything that the machine can demand."""
    judged = load_backend(backend)
    parts = machine.parts_for(judged, owed=False)
    with quiet(), machine.runs(judged, backend, parts) as make_run:
        run = make_run(allowance.signal)
        try:
            yield run
        finally:
            run.close()


def _parser() -> Parser:
    parser = Parser("replay", DESCRIPTION, EPILOGUE)
    parser.add_argument("trace", type=Path, help="the file that a machine has written")
    return parser

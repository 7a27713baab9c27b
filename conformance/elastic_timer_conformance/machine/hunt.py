"""The command `hunt`: looks for differences between a backend and the model, at any length."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from elastic_timer_conformance.backend import Backend, NotOffered
from elastic_timer_conformance.backends import UnknownBackendError, load_backend
from elastic_timer_conformance.harness.processes import HostError
from elastic_timer_conformance.machine.command import WRONG, Parser
from elastic_timer_conformance.machine.finding import Effort, Outcome, find
from elastic_timer_conformance.machine.machine import Machine
from elastic_timer_conformance.machine.machines import MACHINES
from elastic_timer_conformance.machine.telling import model_error
from elastic_timer_conformance.options import positive

__all__ = ["Progress", "main"]

DESCRIPTION = """\
Drive a backend and the model through random steps, to see where they differ.

The machine `controlled` drives a server on a controlled clock, many sequences of steps a second;
`processes` drives real workers, with faults, a sequence or two a second. What is found is made as
short as possible, shown, and written into a file that `replay` takes.
"""

EPILOGUE = """\
exit status:
  0  no difference was found
  1  there is one
  2  interrupted, and none had been found until then
  4  the command was wrong, or the backend does not offer what the machine needs
"""

# Seconds between two lines that say how far it is, where they cannot be written over one another.
BETWEEN_LINES = 10.0


def main(arguments: Sequence[str]) -> None:
    """Hunt. Exits with the status that the help describes."""
    parser = _parser()
    options = parser.parse_args(arguments)
    machines = [MACHINES[name] for name in options.machine or MACHINES]
    parts = list(dict.fromkeys(name for machine in machines for name in machine.parts))
    if unknown := sorted(set(options.part or ()) - set(parts)):
        parser.error(f"there is no part {unknown[0]!r}; there are {_list(parts)}")
    try:
        backend = load_backend(options.backend)
        options.traces.mkdir(parents=True, exist_ok=True)
    except (UnknownBackendError, OSError) as error:
        parser.error(str(error))
    hunted = found = 0
    try:
        for machine in machines:
            try:
                found += _hunt(machine, backend, options)
                hunted += 1
            except (NotOffered, HostError) as error:
                print(f"{machine.name}: broken off, since {error}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(1 if found else 2)
    sys.exit(1 if found else 0 if hunted else WRONG)


def _hunt(machine: Machine, backend: Backend, options: argparse.Namespace) -> bool:
    """Hunt with one machine; tell what came of it, and return whether that is a difference."""
    parts = machine.parts_for(backend, owed=not options.all_parts)
    if options.part:
        parts = [name for name in machine.parts if name in options.part]
    effort = Effort(
        examples=options.examples,
        steps=options.steps,
        random_seed=options.seed,
        patience=options.allowance.signal,
        seconds=options.seconds,
    )
    progress = Progress(machine.name, options.examples)
    start = time.monotonic()
    try:
        outcome = find(machine, backend, options.backend, parts, effort, progress.tell)
    finally:
        progress.end()
    print(f"{machine.name}: {outcome.tried} sequences in {time.monotonic() - start:.0f} s", end="")
    print(f", with {_list(parts)}" if parts else "")
    for line in _results(machine, outcome, options):
        print(line)
    return outcome.found is not None


def _results(machine: Machine, outcome: Outcome, options: argparse.Namespace) -> Iterator[str]:
    for failure in outcome.unconfirmed:
        yield "This was seen once, and not again when the same steps were taken:"
        yield str(model_error(machine, failure, options.backend, (), options.traces))
    if outcome.found is None:
        yield "No difference was found."
    else:
        requirements = outcome.requirements
        failure = outcome.found
        yield str(model_error(machine, failure, options.backend, requirements, options.traces))
    yield ""


class Progress:
    """Says how far it is: on one line of a terminal, or else every now and then on another one."""

    def __init__(
        self,
        name: str,
        examples: int,
        stream: TextIO = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._examples = examples
        self._stream = stream
        self._clock = clock
        self._began = clock()
        self._next = self._began + (0.0 if stream.isatty() else BETWEEN_LINES)

    def tell(self, outcome: Outcome) -> None:
        """Say it, unless that has been said a moment ago."""
        now = self._clock()
        if outcome.seen is None and now < self._next:
            return
        line = f"{self._name}: {outcome.tried} of {self._examples} sequences"
        line += f", {now - self._began:.0f} s"
        if outcome.seen is not None:
            line += "; what was found is tried again, and made shorter"
        if self._stream.isatty():
            self._stream.write(f"\r\x1b[K{line}")
        else:
            self._stream.write(f"{line}\n")
            self._next = now + BETWEEN_LINES
        self._stream.flush()

    def end(self) -> None:
        """Make room for what comes next."""
        if self._stream.isatty():
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _parser() -> Parser:
    parser = Parser("hunt", DESCRIPTION, EPILOGUE)
    parser.add_argument(
        "--machine",
        action="append",
        choices=list(MACHINES),
        help="hunt with this machine only; may be given several times (default: all)",
    )
    parser.add_argument(
        "--examples",
        type=positive,
        metavar="N",
        default=200,
        help="how many sequences of steps each machine tries (default: %(default)s)",
    )
    parser.add_argument(
        "--steps",
        type=positive,
        metavar="N",
        default=20,
        help="how many times something happens in a sequence (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        default=0,
        help="the same number gives the same sequences (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="S",
        default=math.inf,
        help="begin no other sequence after so many seconds (default: no limit)",
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--part",
        action="append",
        metavar="NAME",
        help="of what may be left out, let this happen; may be given several times (default: all "
        "that does not belong to one of the backend's deviations)",
    )
    choice.add_argument(
        "--all-parts",
        action="store_true",
        help="let everything happen, also what belongs to deviations",
    )
    parser.add_argument(
        "--traces",
        type=Path,
        metavar="DIR",
        default=Path("traces"),
        help="where what is found is written (default: %(default)s)",
    )
    return parser

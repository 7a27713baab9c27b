"""The command: `python -m elastic_timer_conformance --backend NAME`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from elastic_timer_conformance.backends import KNOWN
from elastic_timer_conformance.invocation import SUITE
from elastic_timer_conformance.layer import Layer

__all__ = ["main"]

# What does something else with backends, each imported when it is asked for.
COMMANDS = {
    "hunt": "elastic_timer_conformance.machine.hunt",
    "matrix": "elastic_timer_conformance.matrix",
    "replay": "elastic_timer_conformance.machine.replay",
    "soak": "elastic_timer_conformance.soak.command",
    "wrong": "elastic_timer_conformance.wrong.command",
}

DESCRIPTION = """\
Judge a timer backend by the specification, requirement by requirement.

`matrix REPORT.json...` instead shows several reports of such runs side by side, `wrong` tries the
suite itself out on deliberately wrong backends, and `soak` repeats it on a busy machine. `hunt`
looks for steps after which a backend and the model differ, and `replay` takes them again. Each has
a --help of its own.

Every option that is not listed here is one of pytest's and is handed on to it,
for instance -k EXPRESSION, -x, --junitxml PATH.
"""

EPILOGUE = """\
exit status:
  0  the backend conforms, its known deviations aside
  1  it violates a requirement, a deviation is stale, or nothing was tested
  2  the run was interrupted
  4  the command was wrong
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the suite with pytest, or answer by itself. Does not return from a run."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] and arguments[0] in COMMANDS:
        import_module(COMMANDS[arguments[0]]).main(arguments[1:])
        return
    known, rest = _parser().parse_known_args(arguments)
    if known.list_backends:
        for name, place in KNOWN.items():
            print(f"{name:16} {place}")
        return
    # In the place of this process, so that signals and the exit status are pytest's own, and as
    # a process, so that nothing of the suite has been imported before pytest looks at it.
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *pytest_arguments(known, rest)])


def pytest_arguments(known: argparse.Namespace, rest: Sequence[str]) -> list[str]:
    """Return the arguments for Python that run the suite."""
    arguments = ["-m", "pytest", *SUITE]
    if known.backend is not None:
        arguments.append(f"--backend={known.backend}")
    if known.allowance is not None:
        arguments.append(f"--allowance={known.allowance}")
    for option, path in (
        ("--report-json", known.report_json),
        ("--report-html", known.report_html),
    ):
        if path is not None:
            # Absolute, since pytest may change its mind about the directory that it works in.
            arguments.append(f"{option}={path.absolute()}")
    arguments += [f"--profile={name}" for name in known.profile]
    arguments += [f"--requirement={name}" for name in known.requirement]
    if known.layer is not None:
        arguments.append(f"--layer={known.layer}")
    return [*arguments, *rest]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m elastic_timer_conformance",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--backend", metavar="NAME", help="what to judge: a known name or module:Class"
    )
    parser.add_argument("--list-backends", action="store_true", help="show the known names")
    parser.add_argument(
        "--profile",
        action="append",
        default=[],
        help="test this profile only: core, robust, durable or distributed; may be repeated",
    )
    parser.add_argument(
        "--requirement",
        action="append",
        default=[],
        metavar="ID",
        help="test this requirement only; may be repeated",
    )
    parser.add_argument(
        "--layer",
        choices=[str(layer) for layer in Layer],
        help="run the tests of this layer only: interface, which starts no workers and takes "
        "seconds, for while you write a backend, or process (default: both)",
    )
    parser.add_argument(
        "--allowance",
        metavar="SECONDS",
        help="how long to wait for what must come, beyond what the specification grants",
    )
    parser.add_argument(
        "--report-json", type=Path, metavar="PATH", help="write the verdicts to this file"
    )
    parser.add_argument(
        "--report-html",
        type=Path,
        metavar="PATH",
        help="write them to this file as one page for a browser",
    )
    return parser


if __name__ == "__main__":
    main()

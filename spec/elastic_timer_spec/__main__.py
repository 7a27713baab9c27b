"""The command `python -m elastic_timer_spec`: what there is to do with the specification.

Exit status: 0 when all is well, 1 when something was found wanting, 2 when the command could
not do its work (a wrong argument, an unsound page), 130 when it was interrupted.
"""

from __future__ import annotations

import argparse
import inspect
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from elastic_timer_spec import commands, exploration_command
from elastic_timer_spec.exploration_command import UnknownVariantError
from elastic_timer_spec.generate import PACKAGE, SphinxError
from elastic_timer_spec.keyword_index import KeywordIndexError
from elastic_timer_spec.needs_json import PagesError
from elastic_timer_spec.review import UnknownTestError
from elastic_timer_spec.specification import UnknownRequirementError
from elastic_timer_spec.suite_source import SuiteError

__all__ = ["main"]

_PROGRAM: Final = "python -m elastic_timer_spec"
_BAD_INPUT: Final = 2
# What a shell reports for a program that SIGINT has ended: 128 + 2.
_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default the program's; return its exit status."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a character of the text is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = command(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever reads has seen enough, as in `... | head`. What is still buffered is to go
        # nowhere, or the interpreter would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except _EXPECTED as error:
        print(f"error: {error}", file=sys.stderr)
        return _BAD_INPUT
    return status


_EXPECTED: Final = (
    KeywordIndexError,
    PagesError,
    SphinxError,
    SuiteError,
    UnknownRequirementError,
    UnknownTestError,
    UnknownVariantError,
    OSError,
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_PROGRAM, description=__doc__)
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, command: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        text = inspect.cleandoc(command.__doc__ or "")
        summary = text.split("\n\n", maxsplit=1)[0].rstrip(".")
        added = subparsers.add_parser(
            name,
            help=summary,
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(command=command)
        return added

    ingest = add("ingest", commands.ingest)
    ingest.add_argument("pages", nargs="+", type=Path, metavar="PAGE", help="a keyword index page")
    ingest.add_argument(
        "--output",
        type=Path,
        default=PACKAGE / "keywords",
        metavar="DIR",
        help="where the normalised indexes are kept (default: in this package)",
    )

    extract = add("extract", commands.extract)
    extract.add_argument("files", nargs="+", type=Path, metavar="FILE.py", help="a Python file")

    check = add("check", commands.check)
    check.add_argument("--json", action="store_true", help="write everything as one JSON object")
    _add_suite(check)

    show = add("show", commands.show)
    show.add_argument("requirement", metavar="REQUIREMENT", help="an id, such as QUEUE-SIZE")
    _add_suite(show)

    reviewed = add("reviewed", commands.reviewed)
    reviewed.add_argument(
        "requirement",
        nargs="?",
        metavar="REQUIREMENT",
        help="the requirement whose tests have been looked at (default: list what is out of date)",
    )
    reviewed.add_argument(
        "tests",
        nargs="*",
        metavar="TEST",
        help="which of its tests: test_name, test_file.py or test_file.py::test_name "
        "(default: all of them)",
    )
    _add_suite(reviewed)

    generate = add("generate", commands.generate)
    generate.add_argument("--check", action="store_true", help="write nothing; 1 if it is stale")
    generate.add_argument(
        "--docs",
        type=Path,
        default=PACKAGE.parents[1] / "docs",
        metavar="DIR",
        help="the Sphinx project of the pages (default: of this checkout)",
    )
    generate.add_argument(
        "--output",
        type=Path,
        default=PACKAGE / "specification.json",
        metavar="FILE",
        help="what to write or to compare (default: in this package)",
    )

    explore = add("explore", exploration_command.explore)
    chosen = explore.add_mutually_exclusive_group()
    chosen.add_argument(
        "--variant",
        metavar="NAME",
        help="explore this model alone: queue, durable, or a wrong one, whose run is shown "
        "(default: all of them)",
    )
    chosen.add_argument(
        "--check", type=Path, metavar="FILE", help="compare what is found with this file"
    )
    chosen.add_argument(
        "--output", type=Path, metavar="FILE", help="write what is found into this file"
    )
    explore.add_argument(
        "--depth",
        type=int,
        metavar="N",
        help="take no more steps than so many in a run (default: as many as are stated for each)",
    )
    return parser


def _add_suite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--suite",
        type=Path,
        metavar="DIR",
        help="the folder of the suite's tests (default: that of the installed suite)",
    )


if __name__ == "__main__":
    sys.exit(main())

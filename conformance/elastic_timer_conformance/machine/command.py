"""What the commands about machines have in common."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backends import KNOWN

__all__ = ["WRONG", "Parser"]

WRONG = 4
"""The exit status of a command that was wrong; 2, which is argparse's, is for interrupted ones."""


class Parser(argparse.ArgumentParser):
    """Parses a command that is about a backend, and waits for what it has to do."""

    def __init__(self, command: str, description: str, epilogue: str) -> None:
        super().__init__(
            prog=f"python -m elastic_timer_conformance {command}",
            description=description,
            epilog=epilogue,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.add_argument(
            "--backend",
            metavar="NAME",
            required=True,
            help=f"what takes the steps: module:Class or one of {', '.join(KNOWN)}",
        )
        self.add_argument(
            "--allowance",
            metavar="SECONDS",
            type=lambda text: Allowance(signal=float(text)),
            default=Allowance(),
            help=f"how long to wait for what must come (default: {Allowance().signal:g})",
        )

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command, and exit."""
        self.print_usage(sys.stderr)
        self.exit(WRONG, f"{self.prog}: {message}\n")

"""``python -m fuzz``: read generated streams until one shows a fault, or all are read."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Sequence

from .check import fault, smallest
from .file_language import FILE
from .language import Kind, Language
from .pipe_language import PIPE
from .stream import Stream, generate

__all__ = ["main"]

LANGUAGES = {language.name: language for language in (FILE, PIPE)}

_SHOWN_EVERY = 1.0
"""Seconds between two looks at how far it is."""

_SHOWN_BYTES = 2000
"""Bytes of a part that are shown; it can be made again from its number."""

DESCRIPTION = """\
Read generated streams of bytes with the readers of the timer servers. In each, valid requests
stand between bytes that are none, and it arrives in pieces. A reader must not raise, must read
every valid request in its order, and nothing else. A stream is made from the seed and its number.
"""

EPILOGUE = """\
exit status:
  0  all streams were read as they should be
  1  one was not: what it is, and the command that reads it again, have been told
  2  the command was wrong; or it was interrupted, and no stream until then had a fault
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read streams as the command line says; return the exit status."""
    options = _parser().parse_args(arguments)
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    numbers = range(options.times) if options.only is None else (options.only,)
    try:
        print(f"seed {seed}: --seed={seed} reads the same streams again", flush=True)
        for name in options.reader or LANGUAGES:
            if not _read(LANGUAGES[name], seed, numbers):
                return 1
    except KeyboardInterrupt:
        return 2
    return 0


def _read(language: Language, seed: int, numbers: Sequence[int]) -> bool:
    """Read the streams of these numbers, and tell how far it is; return whether all is well."""
    progress = _Progress(language.name, len(numbers))
    try:
        for number in numbers:
            stream = generate(language, seed, number)
            if fault(language, stream) is not None:
                options = f"--seed={seed} --reader={language.name} --only={number}"
                _tell(language, stream, options)
                return False
            progress.count()
    except KeyboardInterrupt:
        progress.end("interrupted; no fault until then")
        raise
    progress.end("no fault")
    return True


class _Progress:
    """How far it is: on one line of a terminal, or now and then on one of its own."""

    def __init__(self, name: str, total: int) -> None:
        self._name = name
        self._total = total
        self._done = 0
        self._began = self._shown = time.monotonic()
        self._every = _SHOWN_EVERY if sys.stderr.isatty() else 5 * _SHOWN_EVERY

    def count(self) -> None:
        """Count one stream, and show now and then how many it were."""
        self._done += 1
        now = time.monotonic()
        if now < self._shown + self._every:
            return
        self._shown = now
        rate = self._done / (now - self._began)
        left = (self._total - self._done) / rate
        line = f"{self._streams()}, {rate:,.0f} a second, about {left:.0f} s left"
        end = "\r" if sys.stderr.isatty() else "\n"
        print(f"{line:<72}", end=end, file=sys.stderr, flush=True)

    def end(self, what: str) -> None:
        """Say how it ended."""
        seconds = time.monotonic() - self._began
        print(f"{f'{self._streams()} in {seconds:.1f} s: {what}':<72}", flush=True)

    def _streams(self) -> str:
        return f"{self._name} reader: {self._done:,} of {self._total:,} streams"


def _tell(language: Language, stream: Stream, options: str) -> None:
    least = smallest(language, stream)
    print(f"The {language.name} reader has a fault: {fault(language, least)}")
    print(f"The stream, in pieces of {least.cuts} bytes:")
    for part in least.parts:
        print(f"  {part.kind.value:9} {part.data[:_SHOWN_BYTES]!r}")
        if part.kind is Kind.VALID:
            print(f"  {'':9} is {part.request!r}")
    print(f"To read it again: python -m fuzz {options}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fuzz",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--times",
        type=_positive,
        default=100_000,
        metavar="N",
        help="streams for each reader (default: 100000, about a minute)",
    )
    parser.add_argument(
        "--reader",
        action="append",
        choices=LANGUAGES,
        help="only this reader: the file server's, or that of the pipe of a local server",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="by default a new one each time")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="read one stream of the seed's")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())

"""The worker whose blocks are timed; pyperf starts it as a program."""

from __future__ import annotations

import argparse
import time

import pyperf

from ..contenders import Backend, Contender, make
from .block import BATCH, KINDS
from .scratch import scratch_directory

# PyTorch's file server sleeps up to max_interval between two looks at its pipe; see the method.
_SERVER = {"torch-file": {"max_interval": 0.01}}

_PAUSE = 0.05
"""Seconds: ten times what the slowest server takes for a batch."""


def main() -> None:
    """Take samples as pyperf's options say."""
    runner = pyperf.Runner(
        program_args=("-m", __spec__.name if __spec__ else __name__), add_cmdline_args=_pass_on
    )
    runner.argparser.add_argument("--contender", required=True)
    runner.argparser.add_argument("--kind", choices=KINDS, required=True)
    arguments = runner.parse_args()
    name = f"{arguments.contender}, {arguments.kind}"
    if not arguments.worker:
        runner.bench_time_func(name, lambda loops: 0.0, inner_loops=BATCH)
        return
    with scratch_directory() as directory:
        contender = make(arguments.contender, directory)
        with contender.serving(**_SERVER.get(arguments.contender, {})):
            contender.prepare()
            scope = KINDS[arguments.kind]
            timed = _processor_time if arguments.kind == "processor" else _time
            runner.bench_time_func(
                name,
                lambda batches: sum(timed(contender, scope) for _ in range(batches)),
                inner_loops=BATCH,
            )


def _time(contender: Contender, scope: str | None) -> float:
    """Return the seconds that a batch takes."""
    seconds = contender.time_blocks(BATCH, scope)
    contender.settle()
    return seconds


def _processor_time(contender: Contender, scope: str | None) -> float:
    """Return the processor's seconds that a batch takes of all threads of this process."""
    before = time.process_time()
    contender.time_blocks(BATCH, scope)
    _pause(contender)
    between = time.process_time()
    _pause(contender)
    # Without what it costs to pause.
    return max(0.0, (between - before) - (time.process_time() - between))


def _pause(contender: Contender) -> None:
    """Sleep for as long as it takes a client's thread and the server to be done."""
    time.sleep(_PAUSE)
    if isinstance(contender, Backend) and contender.unread():
        raise TimeoutError(f"the server has not read a batch in {_PAUSE} s")


def _pass_on(command: list[str], arguments: argparse.Namespace) -> None:
    command += [f"--contender={arguments.contender}", f"--kind={arguments.kind}"]


if __name__ == "__main__":
    main()

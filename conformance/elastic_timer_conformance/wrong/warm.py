"""Running the suite in forks of one process that has imported it.

Importing pytest, Hypothesis and the suite costs as much as running the tests of the interface
layer. So it is done once, by multiprocessing's fork server, which imports the module `imported` and
does nothing else: it has no threads and has run no test. What a run does dies with its fork.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from elastic_timer_conformance.invocation import SUITE

__all__ = ["run_suite", "warm_context"]


def warm_context(directory: Path) -> ForkServerContext:
    """Return a context whose processes are forks of one that has imported the suite.

    `directory` is for compiled modules, if this machine keeps none: the hosts and workers of all
    runs, some thousands of processes, would each compile the same ones again.
    """
    if sys.dont_write_bytecode:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(directory / "compiled")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["elastic_timer_conformance.wrong.imported"])
    return context


def run_suite(arguments: Sequence[str], output: Path, plugins: Sequence[object]) -> None:
    """Run the suite in this process and end it with pytest's status.

    Args:
        arguments: those of the suite, or of pytest.
        output: the file for all that is printed.
        plugins: further plugins for pytest.
    """
    # A session of its own: Ctrl-C is for whoever has started this, and ends it as it sees fit.
    os.setsid()
    _end_with_whoever_has_started_this()
    with open(output, "wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    sys.exit(pytest.main([*SUITE, *arguments], plugins=plugins))


def _end_with_whoever_has_started_this() -> None:
    """Have this process interrupted when its parent is gone, however that came to its end.

    The kernel does it, when the other end of a pipe closes (F_SETSIG and O_ASYNC in fcntl(2)). It
    needs no thread, which the suite's own tests would find beside them.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    pipe = parent.sentinel
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGINT)
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if wait([pipe], timeout=0):
        # It was gone before.
        raise KeyboardInterrupt

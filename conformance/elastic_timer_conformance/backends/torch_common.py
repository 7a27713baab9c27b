"""What the adapters of PyTorch's two timers share: the import, links, and `expires`' deviations.

Judged is what `torch.distributed.elastic.timer` is as released. Nothing of it is changed, but for
the name `time` in its modules where a test goes by a clock of its own.
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from elastic_timer_conformance.backend import Deviation

with warnings.catch_warnings():
    # PyTorch uses NumPy where there is some, and says so where there is none. The timers have no
    # use for it. Every other warning is let through.
    warnings.filterwarnings("ignore", message="Failed to initialize NumPy", category=UserWarning)
    import torch
    from torch.distributed.elastic.timer import api

__all__ = ["EXPIRES_DEVIATIONS", "api", "prepare_logging", "replace_clock", "source", "version"]

REPOSITORY = "https://github.com/pytorch/pytorch/blob/"


def version() -> str:
    """Return the version of PyTorch, for the report."""
    return f"torch {torch.__version__}"


def source(function: Callable[..., Any]) -> str:
    """Return a link to a function in PyTorch's public source, as of the installed release."""
    function = inspect.unwrap(function)
    path = Path(inspect.getfile(function)).relative_to(Path(torch.__file__).parent.parent)
    release = torch.__version__.partition("+")[0]
    return f"{REPOSITORY}v{release}/{path.as_posix()}#L{function.__code__.co_firstlineno}"


def prepare_logging() -> None:
    """Import what PyTorch imports when it logs an exception for the first time in a process.

    That takes seconds, and many on a busy machine, during which a watchdog that has failed once
    would seem to be the last one. Like every import, it is no part of what is judged.
    """
    importlib.import_module("torch._dynamo.config")


def replace_clock(module: ModuleType, **functions: Callable[..., Any]) -> Callable[[], None]:
    """Have a module of PyTorch's see these functions as its `time`; return what undoes it.

    There is no place to hand in a clock: the name `time` in the module is all there is.
    """
    real = module.time

    def restore() -> None:
        module.__dict__["time"] = real

    module.__dict__["time"] = SimpleNamespace(**functions)
    return restore


EXPIRES_DEVIATIONS = (
    Deviation(
        "EXPIRES-DEFAULT-SCOPE",
        "the frame looked up as the caller's is the one of contextlib that runs the generator, so "
        "the default scope is the same line of contextlib.py everywhere",
        source(api.expires),
    ),
    Deviation(
        "EXPIRES-DEFAULT-SCOPE-DISTINCT",
        "all default scopes are one, so the end of an inner block disarms the outer one",
        source(api.expires),
    ),
    Deviation(
        "EXPIRES-NESTED-REARM",
        "the end of an inner block releases the scope that the enclosing block still needs",
        source(api.expires),
    ),
    Deviation(
        "EXPIRES-THREADS",
        "all threads have one default scope, so the thread that leaves a block disarms the one "
        "that hangs in it",
        source(api.expires),
    ),
    Deviation(
        "EXPIRES-TASKS",
        "all asyncio tasks have one default scope, so the task that leaves a block disarms the one "
        "that waits in it",
        source(api.expires),
    ),
    Deviation(
        "EXPIRES-INVALID",
        "the duration is not checked: NaN gives a timer that never expires, and a large negative "
        "number a release",
        source(api.expires),
    ),
    Deviation(
        "EXPIRES-DECORATOR-BODY",
        "a decorated coroutine or generator function is guarded while it is called, and not while "
        "its body runs",
        source(api.expires),
    ),
    Deviation(
        "CLIENT-RELEASE-QUIET",
        "what a failing release raises takes the place of the exception of the block",
        source(api.expires),
    ),
)

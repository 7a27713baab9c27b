"""What is mutated, and which backends' runs are to notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["CONTROLS", "EXAMPLE", "PACKAGE", "QUEUE", "TARGETS", "TIMEOUT", "path_of"]

PACKAGE = "reference_impl/elastic_timer"

_LOCAL = ("local",)

QUEUE = "local-mp-queue"
"""Reads a multiprocessing.Queue, by a class of its own, and whatever somebody has put in there."""

EXAMPLE = "socket_backend:SocketBackend"
"""The example of the documentation: a server that leaves to its base class what it can."""

TARGETS: Mapping[str, Sequence[str]] = {
    "expires": _LOCAL,
    "blocks": _LOCAL,
    "timer_table": (*_LOCAL, QUEUE),
    "api": (*_LOCAL, EXAMPLE),
    "local_timer": (*_LOCAL, QUEUE),
    "process_server": _LOCAL,
    "watchdog_loop": _LOCAL,
    "worker": _LOCAL,
    "reaper": _LOCAL,
    "clock": _LOCAL,
    "request_pipe": _LOCAL,
    "exit_watch": _LOCAL,
}
"""The modules, each with the backends that the suite judges until one run fails."""

TIMEOUT = 1800.0
"""Seconds after which a run counts as hanging: a good ten times what the longest takes alone, for
others may keep the machine busy. A test that hangs is ended long before; this is for what hangs
outside of a test."""

CONTROLS: Mapping[str, int] = {"local": 20, QUEUE: 5, EXAMPLE: 5}
"""How often each backend is judged unmutated in between. A suite that fails for no reason once in
ten runs is noticed by twenty with a probability of nearly nine in ten."""


def path_of(module: str) -> str:
    """Return where a module is, from the project's root."""
    return f"{PACKAGE}/{module}.py"

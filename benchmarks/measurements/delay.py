"""How long after its expiration time a hung worker is dead, at the defaults of each backend."""

from __future__ import annotations

import multiprocessing
import os
import random
import select
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..contenders import CONTENDERS, Backend, Contender, Side, make
from ..harness.measurement import Entrant, Measurement, Plan, Quantity, Samples, entrants
from .scratch import scratch_directory

__all__ = ["MEASUREMENT"]

_PATIENCE = 150.0
"""Seconds to wait for a worker to be dead: PyTorch's local server looks once in 60."""


def measure(contender: str, settings: Mapping[str, Any]) -> Samples:
    """Have workers hang, ``lanes`` at a time with a server each, in several waves."""
    samples: list[float] = []
    rng = random.Random()
    with scratch_directory() as directory, ExitStack() as servers:
        lanes: list[Contender] = []
        for wave in range(settings["waves"]):
            if wave == 0 or not _restarts(lanes[0]):
                servers.close()
                lanes = [
                    make(contender, _new(directory / f"{wave}-{lane}"))
                    for lane in range(settings["lanes"])
                ]
                for lane in lanes:
                    servers.enter_context(lane.serving(**settings["server"]))
            samples += _wave(lanes, [rng.uniform(*settings["after"]) for _ in lanes])
    return {"delay": samples}


def _restarts(contender: Contender) -> bool:
    return not isinstance(contender, Backend) or contender.restarts


def _new(directory: Path) -> Path:
    directory.mkdir(mode=0o700)
    return directory


def _wave(lanes: list[Contender], after: list[float]) -> list[float]:
    """Have one worker hang in each lane; return how late each of them died, in seconds."""
    context = multiprocessing.get_context("fork")
    poll = select.poll()
    workers = {}
    try:
        for lane, seconds in zip(lanes, after, strict=True):
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=_hang, args=(lane, seconds, there), daemon=True)
            process.start()
            there.close()
            pidfd = os.pidfd_open(process.pid or -1)
            poll.register(pidfd, select.POLLIN)
            workers[pidfd] = process, here
        died: dict[int, float] = {}
        deadline = time.monotonic() + _PATIENCE
        while len(died) < len(workers):
            events = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            now = time.monotonic()
            if not events:
                raise TimeoutError(f"a hung worker is still alive after {_PATIENCE} s")
            for pidfd, _ in events:
                poll.unregister(pidfd)
                died[pidfd] = now
        return [died[pidfd] - here.recv() for pidfd, (_, here) in workers.items()]
    finally:
        for pidfd, (process, here) in workers.items():
            process.kill()
            process.join()
            os.close(pidfd)
            here.close()


def _hang(contender: Contender, after: float, end: Any) -> None:
    def entered() -> None:
        end.send(expires)
        while True:
            signal.pause()

    contender.prepare()
    contender.time_blocks(1, "another")
    expires = time.monotonic() + after
    contender.hang(after, entered)


_SOON = {"lanes": 1, "after": [0.03, 0.06], "server": {}}
_TUNED = Entrant(
    "torch-local:tuned",
    "PyTorch local, max_interval=0.01",
    Side.PYTORCH,
    {"server": {"max_interval": 0.01}},
)
_DIRECT = entrants("shared-memory", "local", "file")
_OTHERS = entrants("faulthandler", "setitimer")


def _torch(name: str, **settings: Any) -> Entrant:
    return Entrant(name, CONTENDERS[name].label, CONTENDERS[name].side, settings)


MEASUREMENT = Measurement(
    name="delay",
    title="From expiration to death",
    method=(
        "Time from the expiration of a hung worker's timer until the kernel reports the worker's"
        " end to an observer, servers at their defaults. The worker has been in another block"
        " before. One worker hangs at a time; PyTorch's"
        " servers, which look at their timers once in 60 s (local, unless requests arrive) and in"
        " 10 s (file), get a server each for 30 workers side by side, and timers of a length that"
        " is drawn evenly from one such interval. PyTorch's local server is also measured at the"
        " interval of its own documentation's example, 0.01 s. `faulthandler` and `setitimer` end"
        " the process from inside."
    ),
    quantities=(Quantity("delay", "delay", "s"),),
    reference="torch-local",
    full=Plan(
        (
            *_DIRECT,
            _torch("torch-local", waves=1, lanes=30, after=[0.05, 60.0]),
            _TUNED,
            _torch("torch-file", waves=2, lanes=30, after=[0.05, 10.0]),
            *_OTHERS,
        ),
        rounds=2,
        settings={**_SOON, "waves": 150},
    ),
    # Without PyTorch's local server at its defaults, which takes a minute and more.
    quick=Plan(
        (
            *_DIRECT,
            _TUNED,
            _torch("torch-file", waves=1, lanes=4, after=[0.05, 10.0]),
            *_OTHERS,
        ),
        rounds=1,
        settings={**_SOON, "waves": 20},
    ),
    measure=measure,
)

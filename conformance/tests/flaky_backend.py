"""A backend that is wrong in every third process that judges it, for tests of soaking."""

from __future__ import annotations

import os

from tiny_backends import Forgetful, TinyBackend, TinyQueue

EVERY = 3


class FlakyBackend(TinyBackend):
    """Counts its processes in the file that the environment's ELASTIC_TIMER_COUNT names."""

    name = "flaky"

    def __init__(self) -> None:
        counter = os.open(os.environ["ELASTIC_TIMER_COUNT"], os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.write(counter, b".")
        number = os.fstat(counter).st_size
        os.close(counter)
        self.queue_class = Forgetful if number % EVERY == 0 else TinyQueue


class KilledBackend(FlakyBackend):
    """Ends its own process instead."""

    name = "killed"

    def __init__(self) -> None:
        super().__init__()
        if self.queue_class is Forgetful:
            os.abort()

"""The watchdog loop: one watchdog after another, in a thread that can be started again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from .clock import Clock

__all__ = ["WatchdogLoop"]

logger = logging.getLogger(__name__)

_PAUSE_AFTER_ERROR = 0.1
"""Seconds before the loop goes on after a watchdog that raised: short against any useful timer,
long enough that an error which stays does not fill the log or the processor."""


class WatchdogLoop:
    """Runs watchdogs in a thread of its own, never two at a time.

    Args:
        watchdog: runs one watchdog. What it raises is logged, and the loop goes on
            (WATCHDOG-SURVIVES).
        wake: makes a watchdog that waits return early, if it can.
        max_interval: how long a watchdog waits at the most, in seconds.
        daemon: whether the thread lets the interpreter exit.
        name: the thread's name.
        clock: what the time of the last progress is told by.
    """

    def __init__(
        self,
        watchdog: Callable[[], None],
        wake: Callable[[], None],
        max_interval: float,
        daemon: bool,
        name: str,
        clock: Clock,
    ) -> None:
        self._watchdog = watchdog
        self._wake = wake
        self._max_interval = max_interval
        self._daemon = daemon
        self._name = name
        self._clock = clock
        self._lifecycle = threading.Lock()
        self._stopped = threading.Event()
        self._running: threading.Thread | None = None
        self._former: threading.Thread | None = None
        self.last_progress_time = clock.time()
        """When the last watchdog ended, in seconds since the epoch."""

    def start(self) -> bool:
        """Start the thread, and return at once; return whether it did not run already."""
        with self._lifecycle:
            if self._running is not None and self._running.is_alive():
                return False
            # Each run has an event of its own: a thread that outlives its stop() stays stopped,
            # and the next one waits for it, so that no two ever read the queue.
            self._stopped = threading.Event()
            self.last_progress_time = self._clock.time()
            self._running = threading.Thread(
                target=self._run,
                args=(self._stopped, self._former),
                name=self._name,
                daemon=self._daemon,
            )
            self._running.start()
            return True

    def stop(self) -> bool:
        """Stop the thread, within ``max_interval``; return whether there was one."""
        with self._lifecycle:
            thread, self._running = self._running, None
            if thread is None:
                return False
            self._former = thread
            self._stopped.set()
        self._wake()
        if thread is not threading.current_thread():
            thread.join(self._max_interval)
            if thread.is_alive():
                logger.warning("%s has not ended within max_interval", self._name)
        return True

    def _run(self, stopped: threading.Event, former: threading.Thread | None) -> None:
        if former is not None:
            former.join()
        while not stopped.is_set():
            try:
                self._watchdog()
                self.last_progress_time = self._clock.time()
            except Exception:
                logger.exception("%s: a watchdog failed; the loop goes on", self._name)
                stopped.wait(min(self._max_interval, _PAUSE_AFTER_ERROR))

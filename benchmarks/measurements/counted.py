"""How many requests a server has registered."""

from __future__ import annotations

from typing import Any

__all__ = ["Counted"]


class Counted:
    """Counts the requests that a server registers from now on: one more call in a watchdog.

    Args:
        server: any server.
    """

    def __init__(self, server: Any) -> None:
        self.requests = 0
        self._register = type(server).register_timers
        self._server = server
        server.register_timers = self

    def __call__(self, timer_requests: list[Any]) -> None:
        self._register(self._server, timer_requests)
        self.requests += len(timer_requests)

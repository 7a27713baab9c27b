"""What a server tells about itself, for logs, metrics and whoever watches the watchdog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

__all__ = ["EventListener", "EventName", "TimerEvent"]

EventName = Literal["started", "stopped", "expired", "reaped", "reap failed", "malformed request"]


class TimerEvent(NamedTuple):
    """Something that happened to a server or to one of its timers (OBSERVE-EVENTS)."""

    name: EventName
    """What happened: ``started``, ``stopped``, ``expired`` (one for each timer), ``reaped`` and
    ``reap failed`` (one for each worker and attempt), ``malformed request``."""
    worker_id: Any = None
    """The worker that it happened to, if any."""
    scope_id: str | None = None
    """The scope of the timer that expired; for ``reaped`` and ``reap failed``, of the timer that
    had expired first."""
    lateness: float = 0.0
    """How long after its expiration time that timer was dealt with, in seconds."""
    detail: str = ""
    """Why reaping failed, or what the malformed request looked like."""


EventListener = Callable[[TimerEvent], None]
"""Called in the watchdog's thread (``started`` and ``stopped``: in the caller's). It should return
quickly; what it raises is logged and changes nothing."""

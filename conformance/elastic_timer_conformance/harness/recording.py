"""A client that records its calls, for tests of what `expires` does with one."""

from __future__ import annotations

from typing import Any

__all__ = ["RecordingClient", "recording_client_class"]


class RecordingClient:
    """Records what it is called for. `fail` makes the methods named in it raise OSError."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fail: set[str] = set()

    def acquire(self, scope_id: str, expiration_time: float) -> None:
        self.calls.append(("acquire", scope_id, expiration_time))
        if "acquire" in self.fail:
            raise OSError("acquire fails")

    def release(self, scope_id: str) -> None:
        self.calls.append(("release", scope_id))
        if "release" in self.fail:
            raise OSError("release fails")

    @property
    def acquired(self) -> list[tuple[str, float]]:
        """Scope and expiration time of every acquire."""
        return [(call[1], call[2]) for call in self.calls if call[0] == "acquire"]

    @property
    def armed(self) -> dict[str, float]:
        """The timers that a server would have now: expiration times by scope."""
        timers: dict[str, float] = {}
        for kind, scope, *times in self.calls:
            if kind == "acquire":
                timers[scope] = times[0]
            else:
                timers.pop(scope, None)
        return timers


def recording_client_class(api: Any) -> Any:
    """Return a class of recording clients that are clients of the backend's own kind."""
    return type("RecordingTimerClient", (RecordingClient, api.TimerClient or object), {})

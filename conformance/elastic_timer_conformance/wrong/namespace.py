"""A namespace to be judged in which some names stand for something wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import elastic_timer

__all__ = ["elastic_timer_with"]

_NAMES = ("TimerRequest", "TimerClient", "RequestQueue", "TimerServer", "configure", "expires")


def elastic_timer_with(**replaced: Any) -> Any:
    """Return the namespace of `elastic_timer` with these names replaced."""
    names = {name: getattr(elastic_timer, name) for name in _NAMES}
    return SimpleNamespace(**{**names, **replaced})

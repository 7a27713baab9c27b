"""Requests as our clients send them: with the deadline that the expiration time stands for."""

from __future__ import annotations

import copy
import math
from typing import Any

from elastic_timer import TimerRequest
from elastic_timer.clock import Instant

from elastic_timer_conformance.clock import ControlledClock

__all__ = ["stamped"]


def stamped(request: Any, clock: ControlledClock | None = None) -> Any:
    """Return an acquire with its deadline by this clock, or the real ones; the rest as it is."""
    if not isinstance(request, TimerRequest) or not 0 <= request.expiration_time < math.inf:
        return request
    expiration_time = request.expiration_time
    made = copy.copy(request)
    if clock is None:
        made.expiration_time = Instant.of(expiration_time)
    else:
        made.expiration_time = Instant(expiration_time, clock.deadline(expiration_time))
    return made

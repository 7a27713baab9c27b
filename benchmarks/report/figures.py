"""Figures as people read them: three digits, and the unit that suits."""

from __future__ import annotations

import math

from ..harness.measurement import Unit

__all__ = ["figure", "times"]

_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BYTES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


def figure(value: float, unit: Unit) -> str:
    """Return a value to three digits, with its unit."""
    if unit == "count":
        return f"{value:,.0f}"
    if unit == "1/s":
        return f"{_digits(value)}/s"
    scales = _SECONDS if unit == "s" else _BYTES
    for scale, name in scales:
        if abs(value) >= scale:
            return f"{_digits(value / scale)} {name}"
    return f"{_digits(value / scales[-1][0])} {scales[-1][1]}"


def times(ratio: float) -> str:
    """Return a ratio as a factor, such as ``12x``."""
    if math.isnan(ratio):
        return "-"
    return "∞" if math.isinf(ratio) else f"{_digits(ratio)}x"


def _digits(value: float) -> str:
    """Return a number to three digits, without an exponent."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 3)}f}"

"""What is measured: one question a module."""

from __future__ import annotations

from ..harness.measurement import Measurement
from . import block, delay, drain, flood, idle, importing, memory

__all__ = ["MEASUREMENTS"]

MEASUREMENTS: dict[str, Measurement] = {
    module.MEASUREMENT.name: module.MEASUREMENT
    for module in (block, drain, idle, delay, flood, importing, memory)
}

"""All machines, by the names that traces know them by."""

from __future__ import annotations

from collections.abc import Mapping

from elastic_timer_conformance.machine.controlled import CONTROLLED
from elastic_timer_conformance.machine.machine import Machine
from elastic_timer_conformance.machine.processes import PROCESSES

__all__ = ["MACHINES"]

MACHINES: Mapping[str, Machine] = {machine.name: machine for machine in (CONTROLLED, PROCESSES)}

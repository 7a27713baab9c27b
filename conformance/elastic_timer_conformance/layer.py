"""The suite's two layers, the interface and real processes, and the two clocks that tests go by."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

__all__ = ["Clock", "Layer"]

# Fixtures, see fixtures.py: what every host process comes from; the clock that the test moves; and
# the time that a busy machine is granted, which only real time needs.
HOSTS = "hosts"
CLOCK = "clock"
ALLOWANCE = "allowance"


class Layer(StrEnum):
    """A test's layer follows from what it asks for, so nobody has to keep a list."""

    INTERFACE = "interface"
    """On a controlled clock, in the test's own process: exact, and over in seconds."""

    PROCESS = "process"
    """Real servers and real workers, in real time with an allowance."""

    @classmethod
    def of(cls, fixtures: Collection[str]) -> Layer:
        """Return the layer of a test by all fixtures that it uses, also those of its fixtures."""
        return cls.PROCESS if HOSTS in fixtures else cls.INTERFACE


class Clock(StrEnum):
    """How a test knows the time. It too follows from what the test asks for."""

    EXACT = "exact"
    """To the number: the test moves the clock, or compares times that it was given."""

    REAL = "real time"
    """As it passes, with the allowance."""

    @classmethod
    def of(cls, fixtures: Collection[str]) -> Clock:
        """Return the clock that a test goes by, as `Layer.of` does its layer."""
        if Layer.of(fixtures) is Layer.PROCESS:
            return cls.REAL
        return cls.REAL if ALLOWANCE in fixtures and CLOCK not in fixtures else cls.EXACT

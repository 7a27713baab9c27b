"""The two layers of the suite's tests: what is asked of the interface, and of real processes."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

__all__ = ["Layer"]

# The fixture that every host process comes from, see fixtures.py.
HOSTS = "hosts"


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

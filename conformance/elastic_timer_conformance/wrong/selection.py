"""Which tests a wrong backend is tried out with."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from elastic_timer_conformance.collection import REQUIREMENTS, layer_of
from elastic_timer_conformance.layer import Layer

__all__ = ["OfTheseOrOfTheInterface"]


@dataclass(frozen=True, slots=True)
class OfTheseOrOfTheInterface:
    """A plugin for pytest: the tests of some requirements, and all that need no worker processes.

    The first are to catch the backend. Of the others, none may fail that is not about the same.
    """

    requirements: frozenset[str]

    # After the suite's own plugin, which notes what each test verifies.
    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Take away the other tests."""
        unwanted = [item for item in items if not self._wants(item)]
        items[:] = [item for item in items if self._wants(item)]
        config.hook.pytest_deselected(items=unwanted)

    def _wants(self, item: pytest.Item) -> bool:
        verified: tuple[str, ...] = item.stash[REQUIREMENTS]
        return layer_of(item) is Layer.INTERFACE or not self.requirements.isdisjoint(verified)

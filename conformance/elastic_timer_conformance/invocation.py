"""How pytest is asked to run the suite, the same wherever that is."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SUITE"]

_PACKAGE = Path(__file__).parent

SUITE = (
    *("-c", str(_PACKAGE / "suite" / "pytest.ini")),
    f"--rootdir={_PACKAGE}",
    *("-p", "elastic_timer_conformance.plugin"),
    # What a failure means is told before; its traceback only has to say where.
    "--tb=short",
    "--whole-suite",
    *("--pyargs", "elastic_timer_conformance.suite"),
)
"""pytest's arguments for the suite, before those that say what is judged, and which tests."""

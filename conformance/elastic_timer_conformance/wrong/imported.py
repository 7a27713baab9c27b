"""Imports pytest and the suite, as pytest does it: by collecting the tests. See `warm`."""

from __future__ import annotations

import contextlib
import gc
import io

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from elastic_timer_conformance.invocation import SUITE
from elastic_timer_conformance.machine.search import own_storage

# Which backend's tests are collected makes no difference to what is imported, except for its own
# modules; and most of the wrong backends are subclasses of this one.
BACKEND = "local"

# Where the suite is so broken that it cannot be collected, every run of it will tell.
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    pytest.main([*SUITE, f"--backend={BACKEND}", "--collect-only"])


@settings(database=None, phases=[Phase.generate])
@given(st.integers())
def draw(number: int) -> None:
    """Have Hypothesis read all modules for numbers that could be of interest, as it does once."""


with own_storage():
    draw()

# All this stays for good. Every fork would search it for garbage, and copy it while doing so.
gc.collect()
gc.freeze()

"""A directory for pipes and tables, in memory where there is such a place, and gone afterwards."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["scratch_directory"]


@contextlib.contextmanager
def scratch_directory() -> Iterator[Path]:
    """Make a directory of this user alone."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="elastic-timer-bench-", dir=memory) as directory:
        yield Path(directory)

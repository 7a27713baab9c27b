"""Signals that a wrong server would send, and that this machine had better be spared."""

from __future__ import annotations

import signal
import sys

__all__ = ["aim"]


def aim(target: int) -> None:
    """Tell audit hooks what `os.kill` would, by which the suite knows of signals; send none."""
    sys.audit("os.kill", int(target), int(signal.SIGKILL))

"""How long a loaded machine may take before the suite says that something did not happen."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Allowance"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """Bounds in seconds. None of them decides on how fast a backend is.

    `signal` bounds the wait for what must come, beyond the time that the specification grants.
    It costs nothing when the thing comes, so it is far above what a busy machine needs: a
    process that is ready to run has been seen to wait for over a second on two shared cores.
    `--allowance` sets it.

    `silence` is how long a test looks on when nothing may come. Every such second is spent in
    full, so it is short, and tests prefer a witness: something later that must come, after which
    the forbidden thing would have come already.

    `startup` bounds how long a process may take until it runs the suite's code. Importing an
    implementation belongs to it; PyTorch takes two seconds on an idle machine.
    """

    signal: float = 10.0
    silence: float = 0.5
    startup: float = 60.0

    def of_known_deviation(self) -> Allowance:
        """Return the allowance for what is known not to come.

        A violation shows by being waited for in vain, so every known one would take `signal` in
        full, in every run. Should the thing come after all and late, nothing worse happens than
        that a stale deviation is noticed in the next run.
        """
        return replace(self, signal=min(self.signal, 1.0))

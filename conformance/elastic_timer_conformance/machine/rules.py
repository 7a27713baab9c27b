"""Rules, among which Hypothesis chooses what to do next, and the run that does it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from hypothesis.stateful import RuleBasedStateMachine, precondition

from elastic_timer_conformance.machine.difference import Difference
from elastic_timer_conformance.machine.minimise import Failure
from elastic_timer_conformance.machine.trace import Step

__all__ = ["Rules", "Run", "part"]


class Run(Protocol):
    """What takes the steps."""

    def do(self, step: Step) -> str:
        """Take one; return what was seen. Raises Difference."""
        ...

    def end(self) -> None:
        """Compare what can only be compared in the end. Raises Difference."""
        ...

    def close(self) -> None:
        """Be done with it."""
        ...


def part(name: str) -> Callable[[Any], Any]:
    """Mark a rule that belongs to a part which can be left out."""
    return precondition(lambda self: name in self.parts)


class Rules(RuleBasedStateMachine):
    """What the machines have in common: rules make steps, and a run takes them.

    `parts` are what may happen besides what always may. Without a run, nothing is done at all:
    there was no time left for it.
    """

    def __init__(self, run: Run | None, parts: Collection[str]) -> None:
        super().__init__()
        self.parts = parts
        self.failures: list[Failure] = []
        self._steps: list[Step] = []
        self._run = run
        self._is_over = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is done, since there was no time left for it."""
        return self._run is None

    def do(self, what: str, **details: Any) -> None:
        """Take a step."""
        if self._run is None:
            return
        self._steps.append({"do": what, **details})
        try:
            self._run.do(self._steps[-1])
        except BaseException as error:
            # Nothing more is compared, whether they differ or somebody has interrupted this.
            self._is_over = True
            if isinstance(error, Difference):
                self.failures.append((list(self._steps), error))
            raise

    def teardown(self) -> None:
        """Compare what is left to compare."""
        if self._run is None:
            return
        try:
            if not self._is_over:
                self._run.end()
        except Difference as difference:
            self.failures.append((list(self._steps), difference))
            raise
        finally:
            self._run.close()

"""What a machine is made of, so that checking, replaying and hunting are the same for all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from elastic_timer_conformance.backend import Backend, Capability
from elastic_timer_conformance.machine.minimise import Failure, Try
from elastic_timer_conformance.machine.rules import Rules, Run
from elastic_timer_conformance.machine.trace import Step

__all__ = ["Machine", "MakeRun", "Part"]

MakeRun = Callable[[float], Run]
"""Makes a run; given how long to wait for what must come, in seconds."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that may happen besides what always may, and that can be left out."""

    what: str
    """What happens, or is demanded, in a few words."""
    requirements: Sequence[str]
    """Whose it is, the first one before all: a backend that deviates from one is spared it."""
    hook: str | None = None
    """The method of `Backend` that it takes."""
    capability: Capability | None = None
    """What a backend has to claim for it."""

    def is_offered(self, backend: Backend) -> bool:
        """Return whether a backend lets this be tested."""
        return (self.capability is None or self.capability in backend.capabilities) and (
            self.hook is None
            or getattr(type(backend), self.hook) is not getattr(Backend, self.hook)
        )

    def is_owed(self, backend: Backend) -> bool:
        """Return whether a backend does this right, as far as it says itself."""
        deviations = {deviation.requirement for deviation in backend.deviations}
        return deviations.isdisjoint(self.requirements)


@dataclass(frozen=True)
class Machine:
    """One way to drive a backend beside the model."""

    name: str
    """What traces know it by."""
    parts: Mapping[str, Part]
    """What may happen besides what always may, by name."""
    runs: Callable[[Backend, str, Collection[str]], AbstractContextManager[MakeRun]]
    """Given the backend, what the command line knows it by, and the parts: what makes runs."""
    rules: Callable[[Run | None, Collection[str]], Rules]
    """Given a run, if there is time for one, and the parts: what chooses the steps."""
    described: Callable[[Step], str]
    """Returns a step in one line, for people."""
    plainer: Callable[[Step], Iterator[list[Step]]]
    """Yields what could take the place of a step, the plainest first."""
    blamed: Callable[[Failure, Try], tuple[str, ...]]
    """Returns what a difference may be a breach of, the likeliest first."""
    is_costly: bool = False
    """Whether a sequence takes so long that there are only few."""

    def parts_for(self, backend: Backend, *, owed: bool = True) -> list[str]:
        """Return the parts that a backend can be checked with; those that it owes, or all."""
        return [
            name
            for name, part in self.parts.items()
            if part.is_offered(backend) and (not owed or part.is_owed(backend))
        ]

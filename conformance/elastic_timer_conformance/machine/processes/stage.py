"""What workers and server are doing, as far as it follows from the steps alone.

Rules choose by it what makes sense next. It does not ask the processes: so that the same seed gives
the same steps, whatever the machine is doing besides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from elastic_timer_conformance.machine.processes.serving import State
from elastic_timer_conformance.machine.trace import Step

__all__ = ["FIRST", "LONG", "MOST", "SHORT", "Stage"]

# Workers at first, and in all: enough to see who dies with whom, and few enough for two cores.
FIRST = 3
MOST = 8

# How long timers are: one that expires while a run lasts, yet leaves time for some steps before,
# and one that does not expire. How many seconds each is depends on the machine: see `ProcessRun`.
SHORT = "short"
LONG = "long"


@dataclass
class Stage:
    """The numbers of the workers, by what they are doing."""

    listening: list[int] = field(default_factory=list)
    busy: list[int] = field(default_factory=list)
    stopped: list[int] = field(default_factory=list)
    """When they go on, they listen, whatever they did before."""
    deaf: list[int] = field(default_factory=list)
    server: State = State.RUNS
    started: int = 0
    """How many there have been, and so the next one's number."""
    expiring: bool = False
    """Whether there are timers, released or not, whose deadline is near."""
    blocks: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    """By worker, the scopes of the blocks that it is in, from the outside in, and their timers."""
    held: dict[int, dict[str, str]] = field(default_factory=dict)
    """By worker, the scopes that it holds, and for how long it has acquired each."""
    _has_expired: bool = False

    @property
    def alive(self) -> list[int]:
        """Everybody who is."""
        return sorted([*self.listening, *self.busy, *self.stopped, *self.deaf])

    @property
    def can_be_told(self) -> bool:
        """Whether the server's process can be told anything."""
        return self.server in (State.RUNS, State.STOPPED)

    @property
    def can_start(self) -> bool:
        """Whether another worker can be started."""
        return self.server is not State.SUSPENDED and self.started < MOST

    @property
    def awake(self) -> list[int]:
        """Everybody who could be stopped."""
        return sorted([*self.listening, *self.busy])

    @property
    def holding(self) -> list[int]:
        """Everybody who listens and holds a timer that is no block's."""
        return [worker for worker in self.listening if self.scopes(worker)]

    @property
    def in_blocks(self) -> list[int]:
        """Everybody who listens and is in a block."""
        return [worker for worker in self.listening if self.blocks.get(worker)]

    def scopes(self, worker: int) -> list[str]:
        """Return the scopes that a worker holds outside of blocks, sorted."""
        blocks = [scope for scope, _ in self.blocks.get(worker, ())]
        return sorted(scope for scope in self.held.get(worker, ()) if scope not in blocks)

    def take(self, step: Step) -> None:
        """Follow a step."""
        match step:
            case {"do": "start", "workers": list(workers)}:
                self._join(workers)
            case {"do": "fork", "child": int(child)}:
                self._join([child])
            case {"do": "order", "orders": list(orders)}:
                for order in orders:
                    self._order(**order)
            case {"do": "busy", "workers": list(workers)}:
                self._move(workers, self.busy)
            case {"do": "rest" | "continue", "workers": list(workers)}:
                self._move(workers, self.listening)
            case {"do": "stop", "workers": list(workers)}:
                self._move(workers, self.stopped)
            case {"do": "kill", "workers": list(workers)}:
                self._move(workers)
            case {"do": "suspend server"}:
                self._server_is(State.SUSPENDED)
            case {"do": "stop server"}:
                self._server_is(State.STOPPED)
            case {"do": "kill server"}:
                self._server_is(State.DEAD)
            case {"do": "resume server" | "start server" | "replace server"}:
                self._server_is(State.RUNS)
            case {"do": "expire"}:
                self._has_expired = True
                self.expiring = False
                self._bury()

    def _join(self, workers: Iterable[int]) -> None:
        for worker in workers:
            self.listening.append(worker)
            self.started += 1

    def _order(
        self, worker: int, to: str, scope: str = "", time: str = "", then: str = "", **_: Any
    ) -> None:
        held = self.held.setdefault(worker, {})
        blocks = self.blocks.setdefault(worker, [])
        if to == "enter":
            blocks.append((scope, time))
        elif to == "leave" and blocks:
            scope, _time = blocks.pop()
            # Around it, a block of the same scope takes its timer over.
            time = next((time for other, time in reversed(blocks) if other == scope), "")
        if time:
            held[scope] = time
            self.expiring |= time == SHORT
        else:
            held.pop(scope, None)
        if to == "end":
            self._move([worker])
        elif then:
            self._move([worker], self.deaf)

    def _server_is(self, state: State) -> None:
        self.server = state
        self._bury()

    def _bury(self) -> None:
        """Take away whom the server has reaped."""
        if self.server is State.RUNS and self._has_expired:
            self._move([worker for worker, held in self.held.items() if SHORT in held.values()])
            self._has_expired = False

    def _move(self, workers: Collection[int], into: list[int] | None = None) -> None:
        for worker in workers:
            for group in (self.listening, self.busy, self.stopped, self.deaf):
                if worker in group:
                    group.remove(worker)
            if into is None:
                self.held.pop(worker, None)
                self.blocks.pop(worker, None)
            else:
                into.append(worker)

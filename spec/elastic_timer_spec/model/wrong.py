"""Models that are wrong, each in one way, to see that the exploration finds every invariant broken.

An invariant that nothing breaks could be one that nothing can break. Mistakes that were found in
PyTorch 2.13.0 name the server that makes them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from elastic_timer_spec.model.events import Event, Gets
from elastic_timer_spec.model.rules import DurableModel, Model, going_on, judged
from elastic_timer_spec.model.state import Process, Server, State, Watchdog
from elastic_timer_spec.model.timers import (
    Outcome,
    Release,
    Request,
    Table,
    Timer,
    cleared,
    expired,
    expired_by,
    registered,
)

__all__ = ["WRONG", "Wrong"]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong model, and what it is there to break."""

    name: str
    model: type[Model]
    breaks: str
    """The name of the invariant."""
    workers: int = 1
    scopes: int = 1
    """How many it takes to see it."""
    made_by: str = ""
    """Which of PyTorch's servers does so."""

    @property
    def how(self) -> str:
        """What it does instead, in a sentence."""
        return inspect.getdoc(self.model) or ""


WRONG: Final[dict[str, Wrong]] = {}
"""All of them, by their names."""

_Model = TypeVar("_Model", bound=type[Model])


def _breaks(
    invariant: str, *, workers: int = 1, scopes: int = 1, made_by: str = ""
) -> Callable[[_Model], _Model]:
    def add(model: _Model) -> _Model:
        name = model.__name__
        WRONG[name] = Wrong(name, model, invariant, workers, scopes, made_by)
        return model

    return add


# Reaping who released in time -------------------------------------------------------------------


@_breaks("spares who released in time", made_by="LocalTimerServer, FileTimerServer")
class SamplesLate(Model):
    """The time is sampled after the requests were read."""

    def finds_late(self, state: State) -> Table:
        return expired(state.table, state.now)


@_breaks("spares who released in time")
class JudgesUnregistered(Model):
    """Timers are judged before the requests that were read are registered."""

    def gets(self, state: State) -> State:
        after = super().gets(state)
        return judged(after._replace(watchdog=state.watchdog), self.finds_late(state))


@_breaks("spares who released in time")
class GetsOne(Model):
    """A watchdog gets one request, however many there are."""

    def asks_size(self, state: State) -> State:
        asked = super().asks_size(state)
        return asked._replace(watchdog=going_on(asked)._replace(size=1))


@_breaks("spares who released in time", workers=2)
class NewcomersFirst(Model):
    """A queue keeps each sender's order, and hands out first what the last sender has sent."""

    def gets(self, state: State) -> State:
        last = {request.worker: number for number, request in enumerate(state.transit)}
        transit = sorted(state.transit, key=lambda request: -last[request.worker])
        return super().gets(state._replace(transit=tuple(transit)))


@_breaks("spares who released in time")
class KeepsTheFirstDeadline(Model):
    """A timer that is acquired again keeps the deadline that it had."""

    def registers(self, state: State, batch: Sequence[Request]) -> Table:
        table = state.table
        for request in batch:
            held = {(timer.worker, timer.scope) for timer in table}
            if isinstance(request, Release) or (request.worker, request.scope) not in held:
                table = super().registers(state._replace(table=table), [request])
        return table


@_breaks("spares who released in time", made_by="FileTimerServer")
class JudgesWhenItStops(Model):
    """A server that is told to stop judges once more, and does not read."""

    def server_stops(self, state: State) -> State:
        stopped = super().server_stops(state)
        return self.judges(stopped._replace(watchdog=Watchdog(state.now, size=0)))


@_breaks("spares who released in time")
class MissesReleases(DurableModel):
    """The releases that are made while there is no server are missed."""

    def sent(self, state: State, request: Request) -> State:
        if state.server is Server.GONE and isinstance(request, Release):
            return state
        return super().sent(state, request)


# Clocks -----------------------------------------------------------------------------------------


@_breaks("is never early")
class RoundsDown(Model):
    """Deadlines are rounded downwards."""

    def finds_late(self, state: State) -> Table:
        return expired(state.table, going_on(state).now + 1)


@_breaks("does not look at the wall clock", made_by="LocalTimerServer, FileTimerServer")
class BelievesTheWallClock(Model):
    """Expiration times are compared with the wall clock."""

    def finds_late(self, state: State) -> Table:
        return expired_by(state.table, going_on(state).now + state.wall)


@_breaks("reaps who is late")
class ExpiresAfterwards(Model):
    """A timer has not expired at its deadline, only after it: < in the place of <=."""

    def finds_late(self, state: State) -> Table:
        now = going_on(state).now
        return tuple(timer for timer in state.table if timer.deadline < now)


# Reaping ----------------------------------------------------------------------------------------


@_breaks("hits nobody else", made_by="LocalTimerServer")
class TrustsTheNumber(Model):
    """The signal goes to whatever process has the number."""

    def target(self, state: State, process: Process) -> Process | None:
        worker = state.workers[process.number]
        return worker.process if worker.lives else None


@_breaks("tries each once", scopes=2)
class TriesOncePerTimer(Model):
    """A worker is tried once for each of its timers that have expired."""

    def goes_on(self, state: State, process: Process) -> State:
        watchdog = going_on(state)
        late = list(watchdog.late)
        late.remove(next(timer for timer in late if timer.worker == process))
        watchdog = watchdog._replace(late=tuple(late), tried=(*watchdog.tried, process))
        return state._replace(watchdog=watchdog if late else None)


@_breaks("leaves nothing of the reaped", scopes=2)
class ClearsOnlyTheExpired(Model):
    """The timers that had not expired stay when their worker is reaped."""

    def clears(self, state: State, process: Process, outcome: Outcome) -> Table:
        late = going_on(state).late if outcome.counts_as_reaped else ()
        return tuple(timer for timer in state.table if timer.worker != process or timer not in late)


@_breaks("leaves nothing of the reaped")
class RetriesWhatRaised(Model):
    """A worker for whom reaping raised is kept."""

    def clears(self, state: State, process: Process, outcome: Outcome) -> Table:
        return state.table if outcome is Outcome.RAISES else super().clears(state, process, outcome)


@_breaks("leaves nothing of the reaped")
class RetriesTheGone(Model):
    """A worker that has ended by itself counts as one that could not be reaped."""

    def clears(self, state: State, process: Process, outcome: Outcome) -> Table:
        return state.table if outcome is Outcome.GONE else super().clears(state, process, outcome)


@_breaks("clears nobody else", workers=2)
class ClearsTheScope(Model):
    """The timers of a reaped worker are cleared by their scopes, whoever has such a one."""

    def clears(self, state: State, process: Process, outcome: Outcome) -> Table:
        scopes = {timer.scope for timer in going_on(state).late}
        left = super().clears(state, process, outcome)
        return tuple(timer for timer in left if timer.scope not in scopes)


@_breaks("reaps who is late", made_by="FileTimerServer")
class DropsWhomItFailsToReap(Model):
    """The timers of a worker that could not be reaped are dropped."""

    def clears(self, state: State, process: Process, outcome: Outcome) -> Table:
        return cleared(state.table, {process})


@_breaks("reaps who is late", workers=2)
class GivesUpWhenReapingRaises(Model):
    """An exception from reaping one worker ends the watchdog."""

    def tries_to_reap(self, state: State, process: Process, outcome: Outcome) -> State:
        after = super().tries_to_reap(state, process, outcome)
        return after._replace(watchdog=None) if outcome is Outcome.RAISES else after


# Knowing what is held ---------------------------------------------------------------------------


@_breaks("forgets the dead", made_by="LocalTimerServer")
class KeepsTheDead(Model):
    """The timers of a worker that has ended stay until they expire."""

    def registers(self, state: State, batch: Sequence[Request]) -> Table:
        return registered(state.table, batch)


@_breaks("knows what is held")
class ReleasesLast(Model):
    """Of the requests that were read together, releases take effect last."""

    def registers(self, state: State, batch: Sequence[Request]) -> Table:
        return super().registers(state, sorted(batch, key=lambda each: isinstance(each, Release)))


@_breaks("knows what is held", scopes=2)
class HasRoomForOneScope(Model):
    """A worker's timer takes the place of the one for another scope."""

    def registers(self, state: State, batch: Sequence[Request]) -> Table:
        last = {timer.worker: timer for timer in (*state.table, *batch) if isinstance(timer, Timer)}
        table = super().registers(state, batch)
        return tuple(timer for timer in table if last[timer.worker] == timer)


@_breaks("knows what is held", workers=2, made_by="FileTimerServer")
class LosesWhatCameWithTheTorn(Model):
    """What was read together with a part of a request is lost."""

    def registers(self, state: State, batch: Sequence[Request]) -> Table:
        return super().registers(state, [] if state.torn else batch)


@_breaks("knows what is held")
class StartsAnew(Model):
    """A server that is started again has forgotten its timers."""

    def server_starts(self, state: State) -> State:
        return super().server_starts(state)._replace(table=())


@_breaks("knows what is held")
class ReplacementForgets(DurableModel):
    """A server that takes the place of another one begins without timers."""

    def server_ends(self, state: State) -> State:
        return super().server_ends(state)._replace(table=())


# Going on ---------------------------------------------------------------------------------------


@_breaks("reaps who is late", made_by="LocalTimerServer")
class SendsLater(Model):
    """A request leaves its worker when the next one does."""

    def gets(self, state: State) -> State:
        last = {request.worker: number for number, request in enumerate(state.transit)}
        kept = [state.transit[number] for number in sorted(last.values())]
        sent = [each for number, each in enumerate(state.transit) if number not in last.values()]
        after = super().gets(state._replace(transit=tuple(sent)))
        return after._replace(transit=(*after.transit, *kept))


@_breaks("reaps who is late")
class SleepsWhileNothingComes(Model):
    """A watchdog that got no request does not judge."""

    def gets(self, state: State) -> State:
        return super().gets(state) if state.transit else state._replace(watchdog=None)


@_breaks("never stands still", made_by="FileTimerServer")
class WaitsForTheTorn(Model):
    """A part of a request is waited for until it is whole."""

    def server_steps(self, state: State) -> Iterator[Event]:
        for event in super().server_steps(state):
            if not (isinstance(event, Gets) and state.torn):
                yield event


@_breaks("never stands still", made_by="LocalTimerServer")
class KeepsItsStopFlag(Model):
    """A server that has been stopped and started ends its loop at once."""

    def server_starts(self, state: State) -> State:
        # The last watchdog of all: it has nothing to do, and nothing comes after it.
        last = Watchdog(state.now, size=0, judged=True)
        return super().server_starts(state)._replace(watchdog=last)


@_breaks("ends every watchdog")
class ReadsUntilItIsEmpty(Model):
    """A watchdog gets requests until there are none."""

    def gets(self, state: State) -> State:
        if not state.transit:
            return super().gets(state)
        after = super().gets(state)
        return after._replace(watchdog=going_on(state))

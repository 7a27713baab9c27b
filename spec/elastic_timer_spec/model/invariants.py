"""What safety and liveness mean here: what holds at every step of every run.

An invariant looks at one step: the state before, what happened, and the state after. Safety says
that nothing bad happens. Liveness says that the good thing happens, and by when: not some day, but
in this watchdog. So a run that ends can show either of them to be broken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from elastic_timer_spec.model.events import AsksSize, Event, Gets, Samples, TriesToReap
from elastic_timer_spec.model.rules import Model
from elastic_timer_spec.model.state import Process, Server, State, Watchdog
from elastic_timer_spec.model.timers import Table, cleared, expired, registered

__all__ = ["INVARIANTS", "Invariant", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run."""

    model: Model
    before: State
    event: Event
    after: State

    @property
    def signalled(self) -> list[Process]:
        """The processes that this step has ended by reaping."""
        if not isinstance(self.event, TriesToReap):
            return []
        pairs = zip(self.before.workers, self.after.workers, strict=True)
        return [then.process for then, now in pairs if then.lives and not now.lives]


Check: TypeAlias = Callable[[Step], str | None]
Kind: TypeAlias = Literal["safety", "liveness"]


@dataclass(frozen=True, slots=True)
class Invariant:
    """One sentence that is true of every step, and the requirements that it stands for."""

    name: str
    kind: Kind
    requirements: tuple[str, ...]
    events: tuple[type[Event], ...]
    """The events that it is about; none, if it is about the state that follows from any."""
    broken: Check
    """Says what is wrong with a step, or nothing."""

    @property
    def statement(self) -> str:
        """The sentence."""
        return " ".join((self.broken.__doc__ or "").split())


INVARIANTS: Final[dict[str, Invariant]] = {}
"""All of them, by their names."""


def _invariant(
    name: str, kind: Kind, *requirements: str, on: tuple[type[Event], ...] = ()
) -> Callable[[Check], Check]:
    def add(check: Check) -> Check:
        INVARIANTS[name] = Invariant(name, kind, requirements, on, check)
        return check

    return add


# Safety -----------------------------------------------------------------------------------------


@_invariant(
    "spares who released in time",
    "safety",
    "WATCHDOG-NO-FALSE-REAP",
    "CLIENT-RELEASE",
    "CLIENT-REACQUIRE",
    "QUEUE-ORDER",
    "SERVER-STOP-NO-REAP",
    "DURABLE-SERVER-CRASH",
    on=(TriesToReap,),
)
def _spares(step: Step) -> str | None:
    """Nobody is reaped for a timer that it released, or acquired anew, before its deadline."""
    for process in step.signalled:
        overdue = step.before.workers[process.number].overdue
        if _has_expired(step) and not any(timer.scope in overdue for timer in _reasons(step)):
            return f"{_named(process)} is reaped for a timer that it released in time"
    return None


@_invariant(
    "is never early",
    "safety",
    "CLOCK-PRECISION",
    "CLOCK-STEP",
    "SERVER-REGISTER",
    on=(TriesToReap,),
)
def _never_early(step: Step) -> str | None:
    """Nobody is reaped for a timer before its deadline."""
    for process in step.signalled:
        if not _has_expired(step):
            return f"{_named(process)} is reaped before its deadline"
    return None


@_invariant(
    "hits nobody else",
    "safety",
    "PROCESS-PID-REUSE",
    "PROCESS-ONLY-HUNG",
    "CLIENT-WORKERS-INDEPENDENT",
    on=(TriesToReap,),
)
def _hits_nobody_else(step: Step) -> str | None:
    """A signal reaches the process whose timer has expired, and no other."""
    for process in step.signalled:
        if process != _tried(step):
            return f"a process is reaped for the timers of another, which was {_named(process)}"
    return None


@_invariant(
    "tries each once", "safety", "WATCHDOG-REAPED", "SERVER-EXPIRED-GROUPED", on=(TriesToReap,)
)
def _tries_once(step: Step) -> str | None:
    """One watchdog tries nobody twice, however many of its timers have expired."""
    process, watchdog = _tried(step), step.before.watchdog
    if watchdog is not None and process in watchdog.tried:
        return f"one watchdog tries {_named(process)} twice"
    return None


@_invariant(
    "leaves nothing of the reaped",
    "safety",
    "WATCHDOG-REAPED",
    "WATCHDOG-REAP-RAISES",
    "PROCESS-GONE",
    on=(TriesToReap,),
)
def _leaves_nothing(step: Step) -> str | None:
    """Whoever counts as reaped has no timer left, expired or not."""
    event = step.event
    if isinstance(event, TriesToReap) and event.outcome.counts_as_reaped:
        left = _of(step.after.table, event.process)
        return f"{_named(event.process)} counts as reaped, and has a timer left" if left else None
    return None


@_invariant(
    "clears nobody else",
    "safety",
    "SERVER-CLEAR",
    "CLIENT-WORKERS-INDEPENDENT",
    on=(TriesToReap,),
)
def _clears_nobody_else(step: Step) -> str | None:
    """Trying to reap a worker leaves the timers of all others as they were."""
    one = {_tried(step)}
    if cleared(step.before.table, one) != cleared(step.after.table, one):
        return "the timers of others than the one that was tried have changed"
    return None


@_invariant("forgets the dead", "safety", "PROCESS-EXITED", on=(Gets,))
def _forgets_the_dead(step: Step) -> str | None:
    """Once a watchdog has read its requests, no timer of a process that has ended is left."""
    for timer in step.after.table:
        if not step.after.lives(timer.worker):
            return f"{_named(timer.worker)} has ended, and a timer of it is left"
    return None


@_invariant("does not look at the wall clock", "safety", "CLOCK-STEP", on=(Samples, AsksSize, Gets))
def _ignores_the_wall_clock(step: Step) -> str | None:
    """Whatever a server does, it would do the same if the wall clock had just jumped."""
    for jump in (-1, 1):
        elsewhere = step.before._replace(wall=step.before.wall + jump)
        if step.model.after(elsewhere, step.event)._replace(wall=step.after.wall) != step.after:
            return f"if the wall clock had jumped by {jump:+d}, the server would do something else"
    return None


@_invariant(
    "knows what is held",
    "safety",
    "CLIENT-ACQUIRE",
    "CLIENT-ARMED",
    "CLIENT-REACQUIRE",
    "CLIENT-RELEASE-VACUOUS",
    "CLIENT-SCOPES-INDEPENDENT",
    "SERVER-REGISTER-RELEASE",
    "SERVER-REGISTER-REPLACE",
    "SERVER-REGISTER-ORDER",
    "SERVER-RESTART",
    "QUEUE-EXACTLY-ONCE",
    "QUEUE-KILLED-PRODUCER",
    "QUEUE-MALFORMED",
    "WATCHDOG-REAP-FAILED",
    "DURABLE-SERVER-CRASH",
)
def _knows_what_is_held(step: Step) -> str | None:
    """The table, with what is on its way to it, has exactly the timers that living workers hold."""
    state = step.after
    known = registered(state.table, state.transit) if state.transit else state.table
    for worker in state.workers:
        if worker.lives and _of(known, worker.process) != worker.held:
            return f"{_named(worker.process)} holds other timers than the server will know of"
    return None


# Liveness ---------------------------------------------------------------------------------------


@_invariant(
    "reaps who is late",
    "liveness",
    "CLIENT-ACQUIRE",
    "SERVER-EXPIRED-INCLUSIVE",
    "WATCHDOG-EMPTY-QUEUE",
    "WATCHDOG-REAP-FAILED",
    "WATCHDOG-REAP-RAISES",
    "WATCHDOG-LATENCY",
    "CLOCK-STEP",
    "SERVER-RESTART",
    "DURABLE-SERVER-CRASH",
    on=(Gets, TriesToReap),
)
def _reaps_who_is_late(step: Step) -> str | None:
    """A watchdog that is over has tried whoever held an expired timer when it began and still
    does."""
    watchdog = step.before.watchdog
    if watchdog is None or step.after.watchdog is not None:
        return None
    tried = (*watchdog.tried, _tried(step))
    for worker in step.after.workers:
        if expired(worker.held, watchdog.now) and worker.process not in tried:
            return f"a watchdog is over, and has not tried {_named(worker.process)}, who is late"
    return None


@_invariant(
    "never stands still",
    "liveness",
    "SERVER-RESTART",
    "WATCHDOG-SURVIVES",
    "QUEUE-STALLED-PRODUCER",
    "QUEUE-GET-TIMEOUT",
)
def _never_stands_still(step: Step) -> str | None:
    """A server that runs can always take its next step, whatever the workers do or do not do."""
    if step.after.server is Server.RUNNING and not any(step.model.server_steps(step.after)):
        return "the server runs, and can do nothing"
    return None


@_invariant(
    "ends every watchdog",
    "liveness",
    "WATCHDOG-BATCH",
    "WATCHDOG-FAIR",
    "QUEUE-GET-BOUNDED",
    on=(AsksSize, Gets, TriesToReap),
)
def _ends_every_watchdog(step: Step) -> str | None:
    """Each step of a watchdog brings it nearer to its end, however much the workers send."""
    before, after = step.before.watchdog, step.after.watchdog
    if before is not None and after is not None and _left(after) >= _left(before):
        return "a watchdog has taken a step, and is no nearer to its end"
    return None


def _left(watchdog: Watchdog) -> tuple[int, int]:
    """Return what is left to do, as numbers that must go down."""
    read = (watchdog.size >= 0) + watchdog.judged
    return 2 - read, len({timer.worker for timer in watchdog.late})


# What they have in common -----------------------------------------------------------------------


def _tried(step: Step) -> Process | None:
    """Return the worker that is tried in a step, if it is such a step."""
    return step.event.process if isinstance(step.event, TriesToReap) else None


def _reasons(step: Step) -> Table:
    """Return the timers for which the worker that is tried was found late."""
    watchdog = step.before.watchdog
    return _of(watchdog.late, _tried(step)) if watchdog is not None else ()


def _has_expired(step: Step) -> bool:
    """Return whether one of these timers has expired by now."""
    return bool(expired(_reasons(step), step.before.now))


def _of(table: Table, process: Process | None) -> Table:
    return tuple([timer for timer in table if timer.worker == process])


def _named(process: Process | None) -> str:
    return f"worker {process.number}" if process is not None else "nobody"

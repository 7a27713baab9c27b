"""The model: which state follows from a state and an event, and which steps a server can take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from elastic_timer_spec.model.events import (
    Acquires,
    AsksSize,
    Ends,
    EndsInSending,
    Event,
    Gets,
    IsReplacedByAnother,
    Releases,
    Samples,
    ServerEnds,
    ServerStarts,
    ServerStops,
    TimePasses,
    TriesToReap,
    WallClockJumps,
)
from elastic_timer_spec.model.state import (
    Process,
    Server,
    State,
    Watchdog,
    Worker,
)
from elastic_timer_spec.model.timers import (
    Outcome,
    Release,
    Request,
    Table,
    Timer,
    after_reaping,
    expired,
    registered,
)

__all__ = ["DurableModel", "Model", "going_on", "judged"]


class Model:
    """What is demanded. A wrong model is a subclass that does one of these things otherwise.

    A model that is not durable loses its timers and what is on the way to it when the server's
    process ends. In a `durable` one, a request takes effect in the worker's own table, which the
    server reads and which outlives it (DURABLE-SERVER-CRASH).
    """

    durable = False

    # Workers ------------------------------------------------------------------------------------

    def can_send(self, state: State) -> bool:
        """Return whether there is somebody to send to (CLIENT-UNAVAILABLE)."""
        return self.durable or state.server is not Server.GONE

    def acquires(self, state: State, number: int, scope: int, after: int) -> State:
        """Arm a timer. The client converts the expiration time into a deadline at once."""
        worker = state.workers[number]
        deadline = state.now + after
        timer = Timer(worker.process, scope, deadline, deadline + state.wall)
        held = registered(worker.held, [timer])
        return self.sent(_with(state, number, worker._replace(held=held)), timer)

    def releases(self, state: State, number: int, scope: int) -> State:
        """Disarm a timer."""
        worker = state.workers[number]
        release = Release(worker.process, scope)
        held = registered(worker.held, [release])
        return self.sent(_with(state, number, worker._replace(held=held)), release)

    def sent(self, state: State, request: Request) -> State:
        """Take a request out of the worker, who has nothing left to do for it (CLIENT-ARMED)."""
        if self.durable:
            return state._replace(table=registered(state.table, [request]))
        return state._replace(transit=(*state.transit, request))

    def ends(self, state: State, number: int) -> State:
        """Let a worker be gone. Nobody owes it anything any more."""
        return _with(state, number, Worker(state.workers[number].process, lives=False))

    def ends_in_sending(self, state: State, number: int) -> State:
        """Likewise, but a part of a request is left."""
        return self.ends(state, number)._replace(torn=True)

    def is_replaced(self, state: State, number: int) -> State:
        """Give a number to another process."""
        process = Process(number, state.workers[number].process.predecessors + 1)
        return _with(state, number, Worker(process))

    # Time ---------------------------------------------------------------------------------------

    def time_passes(self, state: State) -> State:
        """Advance the clocks, and note which timers have expired while they were held."""
        now = state.now + 1
        workers = []
        for worker in state.workers:
            scopes = {timer.scope for timer in expired(worker.held, now)}
            if not scopes <= set(worker.overdue):
                worker = worker._replace(overdue=tuple(sorted(scopes.union(worker.overdue))))
            workers.append(worker)
        return state._replace(workers=tuple(workers), now=now)

    # The watchdog -------------------------------------------------------------------------------

    def samples(self, state: State) -> State:
        """Begin a watchdog, with the time before anything is read (WATCHDOG-NO-FALSE-REAP)."""
        return state._replace(watchdog=Watchdog(state.now))

    def asks_size(self, state: State) -> State:
        """Count what has been sent (QUEUE-SIZE)."""
        return state._replace(watchdog=going_on(state)._replace(size=len(state.transit)))

    def gets(self, state: State) -> State:
        """Get max(1, size) requests at most, register them, and judge (WATCHDOG-BATCH).

        The first come first (QUEUE-ORDER). What there is of others is skipped (QUEUE-MALFORMED).
        """
        size = max(1, going_on(state).size)
        table = self.registers(state, state.transit[:size])
        return self.judges(state._replace(table=table, transit=state.transit[size:], torn=False))

    def registers(self, state: State, batch: Sequence[Request]) -> Table:
        """Register requests; the timers of workers that have ended go (PROCESS-EXITED)."""
        table = registered(state.table, batch)
        return tuple(timer for timer in table if state.lives(timer.worker))

    def judges(self, state: State) -> State:
        """Find out who is late; if nobody is, the watchdog is over."""
        return judged(state, self.finds_late(state))

    def finds_late(self, state: State) -> Table:
        """Return the timers that had expired at the time sampled (SERVER-EXPIRED-INCLUSIVE)."""
        return expired(state.table, going_on(state).now)

    def target(self, state: State, process: Process) -> Process | None:
        """Return the process that a signal for a worker reaches, if any (PROCESS-PID-REUSE)."""
        return process if state.lives(process) else None

    def outcomes(self, state: State, process: Process) -> Sequence[Outcome]:
        """Return what trying to reap a worker can come to."""
        if self.target(state, process) is None:
            return (Outcome.GONE,)
        return (Outcome.REAPED, Outcome.FAILS, Outcome.RAISES)

    def tries_to_reap(self, state: State, process: Process, outcome: Outcome) -> State:
        """Reap a worker, and clear its timers if that counts as reaped (WATCHDOG-REAPED)."""
        if outcome is Outcome.REAPED:
            target = self.target(state, process)
            assert target is not None, "only a process that lives can be reaped"
            state = self.ends(state, target.number)
        state = state._replace(table=self.clears(state, process, outcome))
        if outcome is Outcome.RAISES:
            state = _forgiven(state, process)
        return self.goes_on(state, process)

    def clears(self, state: State, process: Process, outcome: Outcome) -> Table:
        """Return what is left of the table after trying to reap a worker."""
        return after_reaping(state.table, process, outcome)

    def goes_on(self, state: State, process: Process) -> State:
        """Turn to the next worker; after the last one the watchdog is over."""
        watchdog = going_on(state)
        late = tuple(timer for timer in watchdog.late if timer.worker != process)
        watchdog = watchdog._replace(late=late, tried=(*watchdog.tried, process))
        return state._replace(watchdog=watchdog if late else None)

    # The server ---------------------------------------------------------------------------------

    def server_ends(self, state: State) -> State:
        """End the server's process. Its timers, if they were only there, are lost with it."""
        state = state._replace(server=Server.GONE, watchdog=None)
        if self.durable:
            return state
        workers = tuple(worker._replace(held=(), overdue=()) for worker in state.workers)
        return state._replace(workers=workers, transit=(), torn=False, table=())

    def server_stops(self, state: State) -> State:
        """Stop between two watchdogs. It reaps nobody (SERVER-STOP-NO-REAP)."""
        return state._replace(server=Server.STOPPED)

    def server_starts(self, state: State) -> State:
        """Start, again or in the place of another, with the timers that there are."""
        return state._replace(server=Server.RUNNING)

    def server_steps(self, state: State) -> Iterator[Event]:
        """Yield what the server can do next; while it runs there is always something."""
        watchdog = state.watchdog
        if watchdog is None:
            if state.server is Server.RUNNING:
                yield Samples()
        elif watchdog.size < 0:
            yield AsksSize()
        elif not watchdog.judged:
            yield Gets()
        else:
            for process in dict.fromkeys(timer.worker for timer in watchdog.late):
                for outcome in self.outcomes(state, process):
                    yield TriesToReap(process, outcome)

    # All of it ----------------------------------------------------------------------------------

    def after(self, state: State, event: Event) -> State:
        """Return the state that follows when something happens that can happen."""
        return _settled(self._after(state, event))

    def _after(self, state: State, event: Event) -> State:
        match event:
            case Acquires(worker, scope, after):
                return self.acquires(state, worker, scope, after)
            case Releases(worker, scope):
                return self.releases(state, worker, scope)
            case TimePasses():
                return self.time_passes(state)
            case TriesToReap(process, outcome):
                return self.tries_to_reap(state, process, outcome)
            case Samples():
                return self.samples(state)
            case AsksSize():
                return self.asks_size(state)
            case Gets():
                return self.gets(state)
            case Ends(worker):
                return self.ends(state, worker)
            case EndsInSending(worker):
                return self.ends_in_sending(state, worker)
            case IsReplacedByAnother(worker):
                return self.is_replaced(state, worker)
            case WallClockJumps(by):
                return state._replace(wall=state.wall + by)
            case ServerEnds():
                return self.server_ends(state)
            case ServerStops():
                return self.server_stops(state)
            case ServerStarts():
                return self.server_starts(state)


class DurableModel(Model):
    """What is demanded of a backend whose timers outlive their server."""

    durable = True


def judged(state: State, late: Table) -> State:
    """Return how it goes on when these timers were found to have expired."""
    return state._replace(
        watchdog=going_on(state)._replace(judged=True, late=late) if late else None
    )


def _with(state: State, number: int, worker: Worker) -> State:
    workers = (*state.workers[:number], worker, *state.workers[number + 1 :])
    return state._replace(workers=workers)


def going_on(state: State) -> Watchdog:
    """Return the watchdog that a step belongs to."""
    assert state.watchdog is not None, "this is a step of a watchdog that has begun"
    return state.watchdog


def _forgiven(state: State, process: Process) -> State:
    """Take back what was owed for timers that are cleared though the worker lives on.

    That is what counting as reaped comes to if reaping raised (WATCHDOG-REAP-RAISES). What is on
    its way still arms its timers.
    """
    worker = state.workers[process.number]
    if worker.process != process:
        return state
    sent = [request for request in state.transit if request.worker == process]
    return _with(state, process.number, worker._replace(held=registered((), sent)))


def _settled(state: State) -> State:
    """Forget that a scope is overdue once the server has nothing left to judge it by."""
    if not any(worker.overdue for worker in state.workers):
        return state
    workers = tuple([_settled_worker(state, worker) for worker in state.workers])
    return state if workers == state.workers else state._replace(workers=workers)


def _settled_worker(state: State, worker: Worker) -> Worker:
    if not worker.overdue:
        return worker
    late = state.watchdog.late if state.watchdog else ()
    acquired = [request for request in state.transit if isinstance(request, Timer)]
    known = {
        timer.scope
        for timer in expired((*worker.held, *state.table, *late, *acquired), state.now)
        if timer.worker == worker.process
    }
    overdue = tuple(scope for scope in worker.overdue if scope in known)
    return worker if overdue == worker.overdue else worker._replace(overdue=overdue)

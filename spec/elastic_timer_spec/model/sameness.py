"""Which states are the same for whatever comes, so that one of them is enough.

What happened to whom has no bearing on what can happen next. So states are the same if they differ

- in which of the workers is which, and in which of the scopes is which;
- in how late it is: what matters is how long a deadline is still away, or, once it has passed,
  whether it had passed already when the watchdog sampled the time;
- in the order in which *different* workers have sent: their requests have their effects in any
  order. What matters is which of them the watchdog has counted;
- in how many processes had a number before;
- in what the wall clock says, unless it is asked for.

None of this is taken on trust: a test lets states that are the same go on, one step in every way
that there is, and compares.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from elastic_timer_spec.model.state import Process, State, Worker
from elastic_timer_spec.model.timers import Request, Timer

__all__ = ["Key", "Sameness"]

Key: TypeAlias = tuple[Any, ...]


class _Moment(NamedTuple):
    """What times and processes are told relative to."""

    now: int
    sampled: int
    """By when a deadline must have passed to count; now, if no watchdog has sampled the time."""
    wall: int | None
    """None if it makes no difference."""
    processes: tuple[Process, ...]


_Share: TypeAlias = tuple[Any, ...]
_Shares: TypeAlias = Callable[[Any, _Moment, Sequence[int]], list[_Share]]
_Form: TypeAlias = list[list[int]]


class Sameness:
    """Gives a state its key: two states are the same if their keys are equal.

    Workers come and go by steps that concern one of them, so most parts of a state are those of an
    earlier one. Each part's form is kept and numbered: that makes it five times as fast.
    """

    def __init__(self, scopes: int, wall_clock: bool = False) -> None:
        self._orders = list(itertools.permutations(range(scopes)))
        self._wall_clock = wall_clock
        self._forms: dict[_Moment, dict[Any, _Form]] = {}
        self._numbers: dict[Any, int] = {}

    def key(self, state: State) -> Key:
        """Return what a state has in common with those that are the same, and with no other."""
        watchdog = state.watchdog
        moment = _Moment(
            state.now,
            state.now if watchdog is None else watchdog.now,
            state.wall if self._wall_clock else None,
            tuple([worker.process for worker in state.workers]),
        )
        columns = [
            self._form(_workers, state.workers, moment),
            self._form(_timers, state.table, moment),
        ]
        if watchdog is None or watchdog.size < 0:
            columns.append(self._form(_sent, state.transit, moment))
        elif watchdog.judged:
            columns.append(self._form(_sent, state.transit, moment))
            columns.append(self._form(_timers, watchdog.late, moment))
            columns.append(self._form(_processes, watchdog.tried, moment))
        else:
            # What the watchdog has counted, or the first that comes if there was nothing to be
            # counted, is what it will get.
            counted = max(1, watchdog.size)
            columns.append(self._form(_sent, state.transit[:counted], moment))
            columns.append(self._form(_sent, state.transit[counted:], moment))
        # For each order of the scopes, the shares of each worker; the least is taken, so that it
        # makes no difference which is which.
        workers = min([sorted(zip(*shares, strict=True)) for shares in zip(*columns, strict=True)])
        return (state.server, state.torn, _progress(state), moment.wall, *workers)

    def _form(self, function: _Shares, part: Any, moment: _Moment) -> _Form:
        """Return a number for each worker's share of a part, for each order of the scopes."""
        forms = self._forms.get(moment)
        if forms is None:
            forms = self._forms[moment] = {}
        form = forms.get((function, part))
        if form is None:
            form = forms[function, part] = [
                [self._number(share) for share in function(part, moment, order)]
                for order in self._orders
            ]
        return form

    def _number(self, share: Any) -> int:
        return self._numbers.setdefault(share, len(self._numbers))


def _progress(state: State) -> tuple[bool, ...]:
    """Return how far the watchdog has come, if there is one, and whether its time is up to date."""
    watchdog = state.watchdog
    if watchdog is None:
        return ()
    return watchdog.size >= 0, watchdog.judged, watchdog.now < state.now


def _workers(workers: Sequence[Worker], moment: _Moment, order: Sequence[int]) -> list[_Share]:
    return [
        (
            worker.lives,
            *sorted(_timer(timer, moment, order) for timer in worker.held),
            *sorted(order[scope] for scope in worker.overdue),
        )
        for worker in workers
    ]


def _timers(timers: Iterable[Timer], moment: _Moment, order: Sequence[int]) -> list[_Share]:
    return [
        tuple(sorted(_timer(timer, moment, order) for timer in timers if timer.worker.number == n))
        for n in range(len(moment.processes))
    ]


def _sent(transit: Iterable[Request], moment: _Moment, order: Sequence[int]) -> list[_Share]:
    shares: list[_Share] = [() for _ in moment.processes]
    for request in transit:
        if isinstance(request, Timer):
            form = _timer(request, moment, order)
        else:
            form = (_age(request.worker, moment), order[request.scope])
        shares[request.worker.number] += (form,)
    return shares


def _processes(processes: Iterable[Process], moment: _Moment, order: Sequence[int]) -> list[_Share]:
    return [
        tuple(sorted(_age(process, moment) for process in processes if process.number == number))
        for number in range(len(moment.processes))
    ]


def _timer(timer: Timer, moment: _Moment, order: Sequence[int]) -> _Share:
    form = (_age(timer.worker, moment), order[timer.scope], _time(timer.deadline, moment))
    return form if moment.wall is None else (*form, timer.expiration_time - timer.deadline)


def _age(process: Process, moment: _Moment) -> int:
    """Return how many processes have had the number since."""
    return moment.processes[process.number].predecessors - process.predecessors


def _time(deadline: float, moment: _Moment) -> float:
    """Return how far away a deadline is; 0 if it has passed, -1 if the watchdog sees that too."""
    if deadline > moment.now:
        return deadline - moment.now
    return -1 if deadline <= moment.sampled else 0

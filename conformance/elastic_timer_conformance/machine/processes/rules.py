"""What may happen to workers and their server, for Hypothesis to choose from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from elastic_timer_conformance.harness.garbage import GARBAGE
from elastic_timer_conformance.machine.processes.serving import State
from elastic_timer_conformance.machine.processes.stage import FIRST, LONG, MOST, SHORT, Stage
from elastic_timer_conformance.machine.rules import Rules, Run
from elastic_timer_conformance.machine.trace import Step
from elastic_timer_conformance.workers.hanging import WAYS_TO_HANG

__all__ = ["ProcessRules", "plainer"]

T = TypeVar("T")

# Scopes of timers, and of blocks, which are entered and left in turn and not at will.
SCOPES = ("step", "epoch")
BLOCKS = ("block", "inner block")

TIMES = (SHORT, LONG)

# One that stops itself may be let go on: that is the step `stop`.
WAYS = [way for way in WAYS_TO_HANG if way != "stopped"]

# Milliseconds.
HOUR = 3_600_000

# A number that stands for any of those that there are just now, and several.
any_one = st.integers(0, MOST - 1)
some = st.lists(any_one, min_size=1, max_size=2)

# Who acquires what for how long; and who releases which of what it holds.
acquiring = st.tuples(any_one, st.sampled_from(SCOPES), st.sampled_from(TIMES))
entering = st.tuples(any_one, st.sampled_from(BLOCKS), st.sampled_from(TIMES))
releasing = st.tuples(any_one, any_one)
two_times = st.permutations(TIMES)

Work = tuple[str, tuple[Any, ...]]
"""What one worker does: acquire, release, enter or leave, and the details."""

works: st.SearchStrategy[list[Work]] = st.lists(
    st.one_of(
        st.tuples(st.just("acquire"), acquiring),
        st.tuples(st.just("release"), releasing),
        st.tuples(st.just("enter"), entering),
        st.tuples(st.just("leave"), st.tuples(any_one)),
    ),
    max_size=3,
)


Draw = Callable[[st.SearchStrategy[Any]], Any]
"""Has Hypothesis choose a value."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that may happen: what it does, whose part it is, and when it makes sense."""

    act: Callable[[ProcessRules, Draw], None]
    part: str | None
    when: Callable[[Stage], object]


HAPPENINGS: dict[str, Happening] = {}


def happening(
    part: str | None = None, when: Callable[[Stage], object] = lambda stage: True
) -> Callable[[Callable[[ProcessRules, Draw], None]], Callable[[ProcessRules, Draw], None]]:
    """Let a method happen. Without a part, it always may."""

    def decorate(act: Callable[[ProcessRules, Draw], None]) -> Any:
        HAPPENINGS[act.__name__] = Happening(act, part, when)
        return act

    return decorate


def pick(group: Sequence[T], number: int) -> T:
    """Return the one of a group that a number stands for."""
    return group[number % len(group)]


def picked(group: Sequence[int], numbers: Collection[int]) -> list[int]:
    """Return those of a group that numbers stand for."""
    return sorted({pick(group, number) for number in numbers})


class ProcessRules(Rules):
    """The rules for real processes. Their parts are in `blame.PARTS`.

    To Hypothesis they are one rule, which chooses what happens. Of several, it leaves out some at
    random in each sequence, work included; and it ends those in which nothing that is left makes
    sense. That pays where a sequence costs nothing.
    """

    def __init__(self, run: Run | None, parts: Collection[str]) -> None:
        super().__init__(run, parts)
        self.stage = Stage()
        self._faults: list[str] = []

    def do(self, what: str, **details: Any) -> None:
        self.stage.take({"do": what, **details})
        super().do(what, **details)

    @initialize(data=st.data())
    def begin(self, data: Any) -> None:
        """Start workers, and choose what else happens: a few faults, so that they meet often."""
        offered = [name for name, one in HAPPENINGS.items() if one.part in self.parts]
        if offered:
            fewest = min(2, len(offered))
            faults = st.lists(st.sampled_from(offered), min_size=fewest, max_size=4, unique=True)
            self._faults = data.draw(faults)
        self.do("start", workers=list(range(FIRST)))
        self._work(data.draw(works))

    @rule(data=st.data())
    def happen(self, data: Any) -> None:
        """Let something happen, and workers go on with their work."""
        sensible = {name: one for name, one in HAPPENINGS.items() if one.when(self.stage)}
        faults = [name for name in self._faults if name in sensible]
        always = [name for name, one in sensible.items() if one.part is None]
        groups = [st.sampled_from(group) for group in (always, faults) if group]
        name = data.draw(st.one_of(groups))
        HAPPENINGS[name].act(self, data.draw)
        self._work(data.draw(works))

    def _work(self, work: list[Work]) -> None:
        """Have workers do what they are there for."""
        if orders := [order for kind, details in work for order in self._orders(kind, details)]:
            self.do("order", orders=orders)

    # Workers ------------------------------------------------------------------------------------

    @happening(when=lambda stage: stage.can_start and len(stage.listening) < FIRST)
    def start(self, draw: Draw) -> None:
        self.do("start", workers=[self.stage.started])

    @happening(when=lambda stage: stage.listening)
    def finish(self, draw: Draw) -> None:
        worker = pick(self.stage.listening, draw(any_one))
        orders: list[dict[str, Any]] = [{"to": "leave"} for _ in self.stage.blocks.get(worker, ())]
        orders += [{"to": "release", "scope": scope} for scope in self.stage.scopes(worker)]
        orders += [{"to": "end"}]
        self.do("order", orders=[{"worker": worker, **order} for order in orders])

    @happening("nested blocks", when=lambda stage: stage.listening)
    def nest(self, draw: Draw) -> None:
        number, scope, times = draw(any_one), draw(st.sampled_from(BLOCKS)), draw(two_times)
        orders = [self._acquire("enter", number, scope, time) for time in times]
        self.do("order", orders=[*orders, {"worker": orders[0]["worker"], "to": "leave"}])

    @happening("hang at once", when=lambda stage: stage.listening)
    def acquire_and_hang(self, draw: Draw) -> None:
        order = self._acquire("acquire", *draw(acquiring))
        self.do("order", orders=[{**order, "then": draw(st.sampled_from(WAYS))}])

    @happening("hang at once", when=lambda stage: stage.holding)
    def release_and_hang(self, draw: Draw) -> None:
        order = self._release(*draw(releasing))
        self.do("order", orders=[{**order, "then": draw(st.sampled_from(WAYS))}])

    @happening("fork", when=lambda stage: stage.listening and stage.started < MOST)
    def fork(self, draw: Draw) -> None:
        parent = pick(self.stage.listening, draw(any_one))
        self.do("fork", worker=parent, child=self.stage.started)

    @happening("busy", when=lambda stage: stage.listening and stage.server is State.RUNS)
    def be_busy(self, draw: Draw) -> None:
        self.do("busy", workers=picked(self.stage.listening, draw(some)))

    @happening(when=lambda stage: stage.busy)
    def rest(self, draw: Draw) -> None:
        self.do("rest", workers=picked(self.stage.busy, draw(some)))

    @happening("kill", when=lambda stage: stage.alive)
    def kill(self, draw: Draw) -> None:
        self.do("kill", workers=[pick(self.stage.alive, draw(any_one))])

    @happening("stop", when=lambda stage: stage.awake)
    def stop(self, draw: Draw) -> None:
        self.do("stop", workers=picked(self.stage.awake, draw(some)))

    @happening(when=lambda stage: stage.stopped)
    def go_on(self, draw: Draw) -> None:
        self.do("continue", workers=picked(self.stage.stopped, draw(some)))

    # Time ---------------------------------------------------------------------------------------

    # Without a condition, so that there is always something that may happen.
    @happening()
    def expire(self, draw: Draw) -> None:
        if self.stage.expiring:
            self.do("expire")

    @happening("wall clock", when=lambda stage: stage.can_be_told)
    def step_clock(self, draw: Draw) -> None:
        self.do("step clock", ms=draw(st.sampled_from((HOUR, -HOUR))))

    # The server ---------------------------------------------------------------------------------

    # Who sends all the time fills a queue that nobody reads, and is then held up for seconds by
    # every request: the suite's tests of QUEUE-BACKPRESSURE see to that.
    @happening("suspension", when=lambda stage: stage.server is State.RUNS and not stage.busy)
    def suspend_server(self, draw: Draw) -> None:
        self.do("suspend server")

    @happening(when=lambda stage: stage.server is State.SUSPENDED)
    def resume_server(self, draw: Draw) -> None:
        self.do("resume server")

    @happening("restart", when=lambda stage: stage.server is State.RUNS and not stage.busy)
    def stop_server(self, draw: Draw) -> None:
        self.do("stop server")

    @happening(when=lambda stage: stage.server is State.STOPPED)
    def start_server(self, draw: Draw) -> None:
        self.do("start server")

    @happening("crash", when=lambda stage: stage.server is not State.DEAD)
    def kill_server(self, draw: Draw) -> None:
        self.do("kill server")

    @happening(when=lambda stage: stage.server is State.DEAD)
    def replace_server(self, draw: Draw) -> None:
        self.do("replace server")

    @happening("malformed", when=lambda stage: stage.server is State.RUNS)
    def garbage(self, draw: Draw) -> None:
        self.do("garbage", kind=draw(st.sampled_from(list(GARBAGE))))

    @happening("half a request", when=lambda stage: stage.server is State.RUNS)
    def half(self, draw: Draw) -> None:
        self.do("half")

    # Orders -------------------------------------------------------------------------------------

    def _orders(self, kind: str, details: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
        """Give the order that makes a worker do this, if there is one that can."""
        if kind in ("acquire", "enter") and self.stage.listening:
            order = self._acquire(kind, *details)
            around = [scope for scope, _ in self.stage.blocks.get(order["worker"], ())]
            if "nested blocks" in self.parts or order["scope"] not in around:
                yield order
        elif kind == "release" and self.stage.holding:
            yield self._release(*details)
        elif kind == "leave" and self.stage.in_blocks:
            yield {"worker": pick(self.stage.in_blocks, *details), "to": "leave"}

    def _acquire(self, to: str, number: int, scope: str, time: str) -> dict[str, Any]:
        worker = pick(self.stage.listening, number)
        return {"worker": worker, "to": to, "scope": scope, "time": time}

    def _release(self, number: int, nth: int) -> dict[str, Any]:
        worker = pick(self.stage.holding, number)
        return {"worker": worker, "to": "release", "scope": pick(self.stage.scopes(worker), nth)}


def plainer(step: Step) -> Iterator[list[Step]]:
    """Yield what a step could be reduced to."""
    orders = step.get("orders", [])
    if len(orders) > 1:
        for number in range(len(orders)):
            yield [{**step, "orders": orders[:number] + orders[number + 1 :]}]
    for number, order in enumerate(orders):
        for plain in _plainer_orders(order):
            yield [{**step, "orders": [*orders[:number], plain, *orders[number + 1 :]]}]
    if len(step.get("workers", ())) > 1:
        yield from ([{**step, "workers": [worker]}] for worker in step["workers"])


def _plainer_orders(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "then" in order:
        yield {name: value for name, value in order.items() if name != "then"}
        if order["then"] != WAYS[0]:
            yield {**order, "then": WAYS[0]}
    if order.get("scope") in (SCOPES[1], BLOCKS[1]):
        yield {**order, "scope": SCOPES[0] if order["scope"] == SCOPES[1] else BLOCKS[0]}

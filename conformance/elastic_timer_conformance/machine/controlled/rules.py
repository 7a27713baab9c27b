"""What may happen to a server on a controlled clock, for Hypothesis to choose from."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from elastic_timer_conformance.machine.controlled.run import REGISTERED, SENDING
from elastic_timer_conformance.machine.rules import Rules, part
from elastic_timer_conformance.machine.trace import Step

__all__ = ["PLAIN", "ControlledRules", "plainer"]

# Scopes that a program would have, so few that they meet again and again, and scopes that a
# transport or a table could stumble over. The first is what a trace is reduced to.
PLAIN = ("step", "epoch")
WEIRD = ("", "Step", "step ", "a\nb", 'a"b\\', "\0", "é", "e\u0301", "日本語#1", "é" * 512)

scopes = st.one_of(st.sampled_from(PLAIN), st.sampled_from(WEIRD))

# Milliseconds. Time passes by whole ones and deadlines lie half-way between, so that no watchdog
# is so close to one that the microseconds between two readings of a clock could matter.
advances = st.sampled_from((1000, 1, 60_000))
# Seconds until an expiration time.
AFTERS = (59.9995, 0.9995, 0.0005, 1.0005, -0.9995)

HOUR = 3_600_000


def requests(workers: Collection[int]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return a strategy for the requests that some workers make at once."""
    timer = {"worker": st.sampled_from(list(workers)), "scope": scopes}
    acquire = st.fixed_dictionaries({**timer, "after": st.sampled_from(AFTERS)})
    return st.lists(st.one_of(acquire, st.fixed_dictionaries(timer)), min_size=1, max_size=4)


class ControlledRules(Rules):
    """The rules for a server on a controlled clock. Their parts are in `blame.PARTS`."""

    @rule(requests=requests(SENDING))
    def send(self, requests: list[dict[str, Any]]) -> None:
        self.do("send", requests=requests)

    @rule(requests=requests(REGISTERED))
    def register(self, requests: list[dict[str, Any]]) -> None:
        self.do("register", requests=requests)

    @rule(ms=advances)
    def advance(self, ms: int) -> None:
        self.do("advance", ms=ms)

    @rule()
    def watchdog(self) -> None:
        self.do("watchdog", answers={})

    @part("clear")
    @rule(workers=st.lists(st.sampled_from(REGISTERED), unique=True))
    def clear(self, workers: list[int]) -> None:
        self.do("clear", workers=workers)

    @part("reap fails")
    @rule(worker=st.sampled_from((*REGISTERED, *SENDING)))
    def watchdog_that_fails_to_reap(self, worker: int) -> None:
        self.do("watchdog", answers={str(worker): "fails"})

    @part("reap raises")
    @rule(worker=st.sampled_from((*REGISTERED, *SENDING)))
    def watchdog_whose_reaping_raises(self, worker: int) -> None:
        self.do("watchdog", answers={str(worker): "raises"})

    @part("wall clock")
    @rule(ms=st.sampled_from((HOUR, -HOUR)))
    def step_wall_clock(self, ms: int) -> None:
        self.do("step wall clock", ms=ms)


def plainer(step: Step) -> Iterator[list[Step]]:
    """Yield what a step could be reduced to."""
    requests = step.get("requests", [])
    if len(requests) > 1:
        for number in range(len(requests)):
            yield [{**step, "requests": requests[:number] + requests[number + 1 :]}]
        yield [{**step, "requests": [request]} for request in requests]
    for number, request in enumerate(requests):
        for plain in _plainer_requests(request):
            yield [{**step, "requests": [*requests[:number], plain, *requests[number + 1 :]]}]
    if step.get("answers"):
        yield [{**step, "answers": {}}]
    if len(step.get("workers", ())) > 1:
        yield from ([{**step, "workers": [worker]}] for worker in step["workers"])


def _plainer_requests(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if request["scope"] not in PLAIN:
        yield from ({**request, "scope": scope} for scope in PLAIN)
    if request["scope"] == PLAIN[1]:
        yield {**request, "scope": PLAIN[0]}
    if request.get("after", AFTERS[0]) != AFTERS[0]:
        yield {**request, "after": AFTERS[0]}

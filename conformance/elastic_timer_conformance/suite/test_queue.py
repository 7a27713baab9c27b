"""QUEUE: what a request queue's two operations owe the watchdog."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend, OpenQueue
from elastic_timer_conformance.harness.host import Agent
from elastic_timer_conformance.harness.journal import LOOK_AGAIN, Journal
from elastic_timer_conformance.harness.processes import Host
from elastic_timer_conformance.requirement import requirement
from elastic_timer_conformance.workers import WorkerContext

Measure = Callable[[str, float], None]


class QueueUnderTest:
    """A request queue with a producer in the same process, and numbered requests for it."""

    def __init__(self, opened: OpenQueue, backend: Backend, allowance: Allowance) -> None:
        self._opened = opened
        self._backend = backend
        self._allowance = allowance
        self.size = opened.queue.size
        self.get = opened.queue.get

    def put(self, *numbers: int) -> None:
        """Send requests that carry these numbers as their scopes."""
        for number in numbers:
            self._opened.producer.put(self._backend.request(1, str(number), float(number)))

    def fill(self, count: int) -> None:
        """Send requests numbered from 0, and wait until they are in the queue."""
        self.put(*range(count))
        end = time.monotonic() + self._allowance.signal
        while self.size() < count:
            assert time.monotonic() < end, (
                f"{count} requests were sent, and size() is {self.size()} "
                f"{self._allowance.signal} s later"
            )
            time.sleep(LOOK_AGAIN)

    @contextmanager
    def _enqueue_on_interval(self, count: int, interval: float) -> Iterator[list[float]]:
        """Send requests at intervals in seconds meanwhile; give the times of completed sends."""
        sent: list[float] = []
        stop = threading.Event()

        def send() -> None:
            for number in range(count):
                if stop.wait(interval):
                    return
                self.put(number)
                sent.append(time.monotonic())

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield sent
        finally:
            stop.set()
            thread.join()

    enqueue_on_interval = _enqueue_on_interval


def numbers(requests: list[Any]) -> list[int]:
    return [int(request.scope_id) for request in requests]


@pytest.fixture
def queue(request_queue: OpenQueue, backend: Backend, allowance: Allowance) -> QueueUnderTest:
    return QueueUnderTest(request_queue, backend, allowance)


@requirement("QUEUE-SIZE@cf49191d")
@pytest.mark.parametrize("count", [0, 1, 5, 100])
def test_size(queue: QueueUnderTest, count: int) -> None:
    queue.fill(count)
    assert [queue.size() for _ in range(3)] == [count] * 3
    assert numbers(queue.get(count + 1, 0.01)) == list(range(count))
    assert queue.size() == 0


@requirement("QUEUE-SIZE-STABLE@4092ef90")
def test_size_does_not_shrink(queue: QueueUnderTest) -> None:
    count = 200
    with queue.enqueue_on_interval(count, 0.0005) as sent:
        sizes = []
        while len(sent) < count:
            sizes.append(queue.size())
    sizes.append(queue.size())
    assert sizes == sorted(sizes), "size() shrank though nobody called get()"
    assert max(sizes) <= count


@requirement("QUEUE-GET-BOUNDED@09b7b3ec")
def test_get(queue: QueueUnderTest, allowance: Allowance) -> None:
    queue.fill(5)
    assert numbers(queue.get(2, allowance.signal)) == [0, 1]
    assert queue.size() == 3
    assert numbers(queue.get(1, allowance.signal)) == [2]
    assert numbers(queue.get(2, allowance.signal)) == [3, 4]
    assert queue.size() == 0


@requirement("QUEUE-GET-TIMEOUT@28bb4186")
def test_get_less_than_size(queue: QueueUnderTest, allowance: Allowance, measured: Measure) -> None:
    timeout = 0.3
    with queue.enqueue_on_interval(10_000, 0.05) as sent:
        # If each request had the whole timeout for itself, this would take minutes.
        start = time.monotonic()
        received = queue.get(10_000, timeout)
        end = time.monotonic()
        sent_in_time = sum(at <= start + timeout for at in list(sent))
    measured("get beyond its timeout", max(0.0, end - start - timeout))
    assert end - start < timeout + allowance.signal, (
        f"get(10_000, timeout={timeout}) took {end - start:.3f} s"
    )
    assert numbers(received) == list(range(len(received)))
    # A request that is sent in the last instant may be there or not.
    assert len(received) >= sent_in_time - 1


@requirement("QUEUE-GET-EARLY@c47eb8cc")
def test_returns_as_soon_as_it_has_enough(
    queue: QueueUnderTest, allowance: Allowance, measured: Measure
) -> None:
    queue.fill(5)
    start = time.monotonic()
    received = queue.get(5, 10 * allowance.signal)
    took = time.monotonic() - start
    assert numbers(received) == list(range(5))
    assert took < allowance.signal, f"get(5, ...) took {took:.3f} s with 5 requests there"
    measured("get of what is there", took)


@requirement("QUEUE-GET-COLLECTS@33619312")
def test_get_size(queue: QueueUnderTest, allowance: Allowance) -> None:
    count = 5
    with queue.enqueue_on_interval(count, 0.05):
        assert numbers(queue.get(count, allowance.signal)) == list(range(count))


@requirement("QUEUE-GET-COLLECTS@33619312")
def test_a_long_gap_does_not_end_the_call(queue: QueueUnderTest, allowance: Allowance) -> None:
    # Seconds: longer than a queue that looks for other things in between waits at a time.
    with queue.enqueue_on_interval(3, 0.3):
        assert numbers(queue.get(3, 1.0 + allowance.signal)) == [0, 1, 2]


@requirement("QUEUE-GET-COLLECTS@33619312")
def test_collects_across_processes(host: Host, journal: Journal, allowance: Allowance) -> None:
    count = 5
    number = host.call(Agent.open_queue)
    host.start_worker(produce, 0, count, 0.05, journal=journal, queue=number)
    received = host.call(take_at_once, number, count, allowance.startup)
    assert received == [(0, number) for number in range(count)]


@requirement("QUEUE-GET-EMPTY@c5c526e8")
@pytest.mark.parametrize("timeout", [0, 0.05])
@pytest.mark.parametrize("size", [1, 3])
def test_get_from_an_empty_queue(queue: QueueUnderTest, size: int, timeout: float) -> None:
    assert list(queue.get(size, timeout)) == []


@requirement("QUEUE-GET-ZERO-TIMEOUT@ab78d426")
@pytest.mark.parametrize("timeout", [0, 1e-6])
def test_get_without_waiting(queue: QueueUnderTest, timeout: float) -> None:
    queue.fill(5)
    received = queue.get(queue.size(), timeout)
    assert len(received) == 5, f"get(5, timeout={timeout}) gave {len(received)} of 5 requests"


@requirement("QUEUE-ORDER@6aa4befc")
def test_each_producers_requests_come_in_order(host: Host, journal: Journal) -> None:
    received = _run(host, journal, producers=3, count=500)
    for producer in range(3):
        mine = [number for who, number in received if who == producer]
        assert mine == sorted(mine), f"producer {producer}'s requests came in another order"


@requirement("QUEUE-EXACTLY-ONCE@ef2caa3b")
def test_nothing_is_lost_and_nothing_comes_twice(host: Host, journal: Journal) -> None:
    received = Counter(_run(host, journal, producers=4, count=1000))
    sent = Counter((producer, number) for producer in range(4) for number in range(1000))
    assert received - sent == Counter(), "requests that came more often than they were sent"
    assert sent - received == Counter(), "requests that were sent and did not come"


def _run(host: Host, journal: Journal, producers: int, count: int) -> list[tuple[int, int]]:
    """Have as many processes send as many requests each at once; return what arrived."""
    number = host.call(Agent.open_queue)
    for producer in range(producers):
        host.start_worker(produce, producer, count, 0.0, journal=journal, queue=number)
    journal.wait_for("ready", host.allowance.startup, count=producers)
    journal.open_gate("go")
    return host.call(take_all, number, producers * count, host.allowance.signal)


def produce(worker: WorkerContext, producer: int, count: int, interval: float) -> None:
    """In a worker: send numbered requests, an interval in seconds apart."""
    worker.journal.write("ready")
    if not interval:
        worker.journal.wait_at_gate("go")
    for number in range(count):
        time.sleep(interval)
        worker.client.put(worker.backend.request(1, f"{producer}/{number}", float(number)))


def take_at_once(agent: Agent, queue: int, size: int, timeout: float) -> list[tuple[int, int]]:
    """In the host: get so many requests with one call; return who sent which."""
    return [_origin(request) for request in agent.queues[queue].queue.get(size, timeout)]


def take_all(agent: Agent, queue: int, expected: int, patience: float) -> list[tuple[int, int]]:
    """In the host: read as a watchdog does, until so many have come or none comes any more."""
    found: list[tuple[int, int]] = []
    source = agent.queues[queue].queue
    last = time.monotonic()
    while time.monotonic() - last < patience and len(found) < expected:
        requests = source.get(max(1, source.size()), 0.1)
        if requests:
            last = time.monotonic()
            found += map(_origin, requests)
    # Once more: something that comes twice would be left over now.
    found += map(_origin, source.get(10, 0.1))
    return found


def _origin(request: Any) -> tuple[int, int]:
    producer, number = request.scope_id.split("/")
    return int(producer), int(number)

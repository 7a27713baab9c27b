"""What the suite's tests ask for by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend, IdleServer, OpenQueue
from elastic_timer_conformance.clock import ControlledClock
from elastic_timer_conformance.harness.hosts import Hosts
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.observing import observed_reaps
from elastic_timer_conformance.harness.processes import Host
from elastic_timer_conformance.harness.recording import recording_client_class
from elastic_timer_conformance.harness.stand_ins import stand_ins
from elastic_timer_conformance.harness.watched import WatchedServer
from elastic_timer_conformance.requirement import marks_of, not_applicable
from elastic_timer_conformance.run import Run

RUN = pytest.StashKey[Run]()
"""Under this key, the configuration's stash holds the run."""

BORROWED = pytest.StashKey[list[Host]]()
"""Under this key, a test's stash holds the hosts that it has borrowed."""

Reap = Callable[[Any], bool]


@pytest.fixture(scope="session")
def backend(pytestconfig: pytest.Config) -> Backend:
    """The backend being judged."""
    return pytestconfig.stash[RUN].backend


@pytest.fixture(scope="session")
def api(backend: Backend) -> Any:
    """The namespace being judged; `configure` is left as it was found by `configured`."""
    return backend.api


@pytest.fixture
def allowance(request: pytest.FixtureRequest) -> Allowance:
    """How long to wait for what must come, and for what must not."""
    run = request.config.stash[RUN]
    names = {mark.requirement for mark in marks_of(request.node)}
    known = names and names <= set(run.deviations)
    return run.allowance.of_known_deviation() if known else run.allowance


@pytest.fixture
def clock() -> ControlledClock:
    """A clock that stands still until the test moves it."""
    return ControlledClock()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Where the test's workers write what they did."""
    return Journal(tmp_path / "journal")


@pytest.fixture(scope="session")
def hosts(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """The pool of host processes."""
    run = pytestconfig.stash[RUN]
    pool = Hosts(run.spec, tmp_path_factory.mktemp("hosts"), run.allowance)
    yield pool
    pool.close()


@pytest.fixture
def borrow_host(
    hosts: Hosts, backend: Backend, allowance: Allowance, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Host]]:
    """A function that lends a host for a start method, until the end of the test."""
    borrowed = request.node.stash.setdefault(BORROWED, [])

    def borrow(start_method: str) -> Host:
        host = hosts.borrow(start_method)
        host.allowance = allowance
        borrowed.append(host)
        return host

    yield borrow
    for host in borrowed:
        for reap in observed_reaps(host, backend):
            request.node.user_properties.append(("reaped", (reap.late, reap.undisturbed)))
        hosts.give_back(host)


@pytest.fixture
def host(backend: Backend, borrow_host: Callable[[str], Host]) -> Host:
    """A host process for a test that does not care how its workers are started."""
    return borrow_host(backend.start_methods[0])


@pytest.fixture
def request_queue(backend: Backend) -> Iterator[OpenQueue]:
    """A bare request queue in the test's own process."""
    opened = backend.open_queue()
    yield opened
    opened.close()


@pytest.fixture
def open_server(backend: Backend, clock: ControlledClock) -> Iterator[Callable[..., IdleServer]]:
    """A function that makes a server in the test's own process that is not started.

    `open_server(reap=None, max_interval=0.01)`: the interval is real time that a watchdog with
    an empty queue waits, so it is short.
    """
    opened: list[IdleServer] = []

    def make(reap: Reap | None = None, max_interval: float = 0.01) -> IdleServer:
        opened.append(backend.idle_server(max_interval, clock, reap))
        return opened[-1]

    yield make
    for idle in reversed(opened):
        idle.close()


@pytest.fixture
def watched(backend: Backend, clock: ControlledClock) -> Iterator[Callable[..., WatchedServer]]:
    """A function that makes a server of which reaping is recorded: `watched(max_interval=0.01)`."""
    made: list[WatchedServer] = []

    def make(max_interval: float = 0.01) -> WatchedServer:
        made.append(WatchedServer(backend, clock, max_interval))
        return made[-1]

    yield make
    for server in reversed(made):
        server.close()


@pytest.fixture(scope="session")
def pids() -> Iterator[list[int]]:
    """The numbers of three living processes that stand for workers where none is needed."""
    with stand_ins(3) as numbers:
        yield numbers


@pytest.fixture
def worker_ids(backend: Backend, pids: list[int]) -> list[Any]:
    """Three ids of workers that are alive, for tests of a server's table."""
    return [backend.worker_id(pid) for pid in pids]


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """A function that puts a time in seconds into the report, beside the verdict."""

    def measure(name: str, seconds: float) -> None:
        request.node.user_properties.append(("measured", (name, seconds)))

    return measure


@pytest.fixture
def make_client(api: Any) -> Any:
    """A function that makes a client which records its calls."""
    return recording_client_class(api)


@pytest.fixture
def client(make_client: Any) -> Any:
    """A client that records its calls."""
    return make_client()


@pytest.fixture
def expires(api: Any) -> Any:
    """The backend's `expires`."""
    if api.expires is None:
        not_applicable("the backend's namespace has no expires")
    return api.expires


@pytest.fixture
def configured(api: Any) -> Iterator[Callable[[Any], None]]:
    """The backend's `configure`, undone at the end of the test."""
    if api.configure is None:
        not_applicable("the backend's namespace has no configure")
    yield api.configure
    api.configure(None)

"""SECURITY: who may send requests, what receiving one does, and about whom one may be."""

from __future__ import annotations

import contextlib
import inspect
import os
import pickle
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend, IdleServer
from elastic_timer_conformance.harness.host import Agent
from elastic_timer_conformance.harness.journal import Journal
from elastic_timer_conformance.harness.processes import Host, Server
from elastic_timer_conformance.harness.reaping import MAX_INTERVAL
from elastic_timer_conformance.requirement import not_applicable, requirement
from elastic_timer_conformance.workers import follow

# The user and the group that own nothing, by their numbers on Linux: see user_namespaces(7).
NOBODY = 65534

# Seconds since the epoch: beyond any test's life.
LATER = 4102444800.0


@requirement("SECURITY-PERMISSIONS@08407fda")
def test_what_is_made_is_its_owner_s_alone(host: Host, journal: Journal) -> None:
    named, _ = make_transport(host, journal)
    if not named:
        not_applicable("the transport has no name: there is nothing to open")
    for path in named:
        found = os.lstat(path)
        mode = stat.filemode(found.st_mode)
        assert found.st_uid == os.geteuid(), f"{path} belongs to the user {found.st_uid}"
        assert not found.st_mode & 0o077, f"with a umask of zero, {path} was made {mode}"
        for parent in Path(path).parents:
            found = os.stat(parent)
            assert found.st_uid in (0, os.geteuid()), f"{path}: {parent} is someone else's"
            sticky = found.st_mode & stat.S_ISVTX
            assert sticky or not found.st_mode & 0o022, (
                f"{path} can be replaced: others can write to {parent}"
            )


@requirement("SECURITY-PERMISSIONS@08407fda")
def test_another_user_can_open_nothing(host: Host, journal: Journal) -> None:
    only_as_root()
    named, held = make_transport(host, journal)
    tried = [*named, *held]
    assert tried, "a server that holds nothing open and has no name cannot be reached at all"
    opened = as_nobody(TRY_TO_OPEN, *tried).split()
    assert not opened, f"another user opened {opened}"


@requirement("SECURITY-NO-CODE@995431d3")
@pytest.mark.parametrize("inside", [False, True], ids=["in place of requests", "inside of one"])
def test_a_pickle_is_not_loaded(
    backend: Backend,
    open_server: Callable[..., IdleServer],
    worker_ids: list[Any],
    allowance: Allowance,
    tmp_path: Path,
    inside: bool,
) -> None:
    idle = open_server()
    mark = tmp_path / "was here"
    # Protocol 0 is text, so that it can be a scope; the other has no line feed before its end, so
    # that it can be a line.
    text = pickle.dumps(MakeFile(str(mark)), protocol=0)
    line = pickle.dumps(MakeFile(str(mark)))
    assert b"\n" not in line
    assert not mark.exists()
    if inside:
        idle.put(backend.request(worker_ids[0], text.decode("ascii"), LATER))
    else:
        for code in (line, text):
            backend.send_raw(idle.server, code + b"\n")
    end = time.monotonic() + allowance.signal
    scopes: list[str] = []
    while "last" not in scopes and time.monotonic() < end:
        # Anew each time: that what came with a pickle is served is QUEUE-MALFORMED's concern.
        idle.put(backend.request(worker_ids[0], "last", LATER))
        with contextlib.suppress(Exception):
            idle.server._run_watchdog()
        found = idle.server.get_expired_timers(float("inf"))
        scopes = [timer.scope_id for timers in found.values() for timer in timers]
    assert "last" in scopes
    if mark.exists() and not backend.transport_paths(idle.server):
        not_applicable(
            "receiving loads pickles, but the transport has no name: nobody outside of the "
            "server's own tree of processes can write to it"
        )
    assert not mark.exists(), "receiving a request has run what its sender chose"


@requirement("SECURITY-IDENTITY@b9524c5c")
def test_no_method_of_a_client_takes_a_worker(
    backend: Backend, open_server: Callable[..., IdleServer]
) -> None:
    client = backend.client(open_server().server)
    signatures = {
        name: list(inspect.signature(getattr(client, name)).parameters)
        for name, _ in inspect.getmembers(type(client), callable)
        if not name.startswith("_")
    }
    for name, demanded in {
        "acquire": ["scope_id", "expiration_time"],
        "release": ["scope_id"],
    }.items():
        assert signatures[name] == demanded, (
            f"{name} takes {signatures[name]}, and not just {demanded}"
        )
    naming = {
        name: parameters
        for name, parameters in signatures.items()
        if any(word in parameter for parameter in parameters for word in ("worker", "pid"))
    }
    assert not naming, f"whom a request is about is said by the caller of {naming}"


@requirement("SECURITY-IDENTITY@b9524c5c")
def test_a_forged_request_costs_nobody_s_life(
    host: Host, journal: Journal, backend: Backend
) -> None:
    only_as_root()
    server = host.start_server(MAX_INTERVAL)
    steps = (("acquire", "scope", 3600.0), ("hang",))
    victim = host.start_worker(follow, *steps, journal=journal, server=server)
    victim.wait_for("acquire")
    named, held = host.call(reachable, server.number, [])
    forged = backend.raw_request(
        backend.request(backend.worker_id(victim.pid), "forged", time.time() - 60)
    )
    as_nobody(TRY_TO_WRITE, forged.hex(), *named, *held)
    server.pass_by(time.monotonic(), journal)
    assert victim.is_alive, "a process that could not have signalled a worker had it reaped"


def only_as_root() -> None:
    if os.geteuid() != 0:
        not_applicable("only the superuser can start a process of another user")


def make_transport(host: Host, journal: Journal) -> tuple[list[str], list[str]]:
    """Start a server with a umask of zero and use it; return what there is to be opened.

    First the names in the file system, then the descriptors of the server's process, as paths
    in /proc.
    """
    number, before = host.call(start_with_open_umask)
    worker = host.start_worker(
        follow, ("acquire", "s", 3600.0), ("hang",), journal=journal, server=Server(host, number)
    )
    worker.wait_for("hang")
    return host.call(reachable, number, before)


# Programs that another user runs: which of the paths can be opened, for reading or for writing;
# and write bytes to whatever can be opened. Without O_NONBLOCK a pipe would wait for its reader.
TRY_TO_OPEN = """
for path in sys.argv[1:]:
    for mode in (os.O_RDONLY, os.O_WRONLY):
        try:
            os.open(path, mode | os.O_NONBLOCK)
        except (PermissionError, FileNotFoundError):
            continue
        except OSError as error:
            # No permission is missing; another error says no more than that it is a socket.
            print(path, error.errno)
            continue
        print(path)
"""
TRY_TO_WRITE = """
for path in sys.argv[2:]:
    try:
        os.write(os.open(path, os.O_WRONLY | os.O_NONBLOCK), bytes.fromhex(sys.argv[1]))
    except OSError as error:
        print(path, error)
"""


# The interpreter may lie where the other user could not start it.
BECOME_NOBODY = f"""
import os, sys
os.setgroups([])
os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
"""


def as_nobody(program: str, *arguments: str) -> str:
    """Run a Python program as another user; return what it prints."""
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", BECOME_NOBODY + program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    ).stdout


class MakeFile:
    """Something whose pickle makes a file when it is loaded."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


# In the host -------------------------------------------------------------------------------------


def start_with_open_umask(agent: Agent) -> tuple[int, list[str]]:
    """Start a server with a umask of zero; return it, and what was open before."""
    before = list(descriptors())
    umask = os.umask(0)
    try:
        return agent.start_server(MAX_INTERVAL), before
    finally:
        os.umask(umask)


def reachable(agent: Agent, server: int, before: list[str]) -> tuple[list[str], list[str]]:
    """Return the paths of the transport, and this process's descriptors that are new, as paths."""
    new = {path: target for path, target in descriptors().items() if path not in before}
    files = {target for target in new.values() if target.startswith("/") and os.path.exists(target)}
    files -= {target for target in files if target.startswith(("/dev/null", "/proc/"))}
    named = {*files, *agent.backend.transport_paths(agent.servers[server])}
    return sorted(named), sorted(new)


def descriptors() -> dict[str, str]:
    """Return what this process's descriptors, as paths in /proc, stand for."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        path = f"/proc/{os.getpid()}/fd/{name}"
        # The one that listed the directory is gone.
        if os.path.lexists(path):
            found[path] = os.readlink(path)
    return found

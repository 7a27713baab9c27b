"""Servers that are replaced, or meet others, and get it wrong."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from elastic_timer import SharedMemoryTimerClient, SharedMemoryTimerServer, TimerRequest
from elastic_timer.clock import Instant
from elastic_timer.errors import ServerRunningError, ServerUnavailableError
from elastic_timer.worker import WorkerId
from elastic_timer.worker_table import WorkerTable

from elastic_timer_conformance.backends.shared_memory import SharedMemoryBackend
from elastic_timer_conformance.harness.process_state import STOPPED, thread_states
from elastic_timer_conformance.wrong.aiming import aim
from elastic_timer_conformance.wrong.breach import breaks

# States of a process that has ended, by the letters of proc(5).
ENDED = {"Z", "X"}


def _server_of(directory: Path) -> int:
    """Return the process that has served a directory last, 0 if none has."""
    with suppress(FileNotFoundError, ValueError):
        return int((directory / "server").read_text())
    return 0


# A server is killed ------------------------------------------------------------------------------


class _Replacing(SharedMemoryTimerServer):
    """Does something to what it finds when it is started in place of another process's server."""

    def start(self) -> None:
        is_replacement = _server_of(self.directory) not in (0, os.getpid())
        self._tables.open()
        if is_replacement:
            self.replace()
        super().start()

    def replace(self) -> None:
        raise NotImplementedError


class _ForgetsWhatWasArmed(_Replacing):
    def replace(self) -> None:
        self._tables._changes.clear()


@breaks("DURABLE-SERVER-CRASH", seen="is alive")
class ForgetsWhatWasArmed(SharedMemoryBackend):
    """A replacement keeps the timers that are acquired from its start on, and no earlier ones."""

    server_class = _ForgetsWhatWasArmed


class _ReapsWhatItFinds(_Replacing):
    def replace(self) -> None:
        for request in self._tables._changes:
            if request.expiration_time >= 0:
                request.expiration_time = Instant.now()


@breaks("DURABLE-SERVER-CRASH", seen="before its deadline")
class ReapsWhatItFinds(SharedMemoryBackend):
    """A replacement takes all timers that it finds for expired."""

    server_class = _ReapsWhatItFinds


class _LeavesOrphans(_Replacing):
    is_replacement = False

    def replace(self) -> None:
        self.is_replacement = True

    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        super().register_timers([r for r in timer_requests if not self._is_orphan(r.worker_id)])

    def _is_orphan(self, pid: int) -> bool:
        """Whether a worker's launcher is dead, and it has come to whoever adopts orphans."""
        return self.is_replacement and _parent(pid) == os.getppid()


def _parent(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(stat.rpartition(") ")[2].split()[1])


@breaks("DURABLE-SERVER-CRASH", seen="is alive")
class LeavesOrphans(SharedMemoryBackend):
    """A replacement does not enforce the timers of workers whose parent has died."""

    server_class = _LeavesOrphans


class _KeepsASnapshot(_Replacing):
    """Saves its table whenever it has changed; a replacement begins with what was saved."""

    def register_timers(self, timer_requests: list[TimerRequest]) -> None:
        super().register_timers(timer_requests)
        if timer_requests:
            self._save()

    def clear_timers(self, worker_ids: set[int]) -> None:
        super().clear_timers(worker_ids)
        if worker_ids:
            self._save()

    def replace(self) -> None:
        with suppress(FileNotFoundError):
            saved = json.loads(self._path.read_text())
            super().register_timers(
                [TimerRequest(WorkerId(*who), scope, Instant(*when)) for who, scope, when in saved]
            )

    @property
    def _path(self) -> Path:
        return self.directory / "snapshot"

    def _save(self) -> None:
        unfinished = self._path.with_suffix(".new")
        unfinished.touch(0o600)
        unfinished.write_text(json.dumps(list(self._timers_to_save())))
        unfinished.rename(self._path)

    def _timers_to_save(self) -> Iterator[Any]:
        for worker_id, timers in self.get_expired_timers(Instant(0.0, float("inf"))).items():
            for timer in timers:
                when = Instant.of(timer.expiration_time)
                yield (int(worker_id), worker_id.start_time), timer.scope_id, (when, when.monotonic)


@breaks("DURABLE-SERVER-CRASH", seen="released in time, while there was no server, were reaped")
class KeepsASnapshot(SharedMemoryBackend):
    """A replacement begins with what its predecessor saw, and not with what was released since."""

    server_class = _KeepsASnapshot


class _WithClient(SharedMemoryBackend):
    client_class: type[SharedMemoryTimerClient]

    def client(self, server: Any) -> Any:
        return self.client_class(server.directory)

    def client_at(self, place: Any) -> Any:
        return self.client_class(place)


def _is_served(directory: Path) -> bool:
    return bool(set(thread_states(_server_of(directory))) - ENDED)


class _WantsAServerAtFirst(SharedMemoryTimerClient):
    def _open(self) -> WorkerTable:
        if _server_of(self._directory) and not _is_served(self._directory):
            raise ServerUnavailableError(f"the server of {self._directory} is dead")
        return super()._open()


@breaks("DURABLE-SERVER-CRASH", seen="acquire was refused while there was no server")
class WantsAServerAtFirst(_WithClient):
    """A client that is used for the first time while there is no server raises an error."""

    client_class = _WantsAServerAtFirst


class _WaitsForAServerAtFirst(SharedMemoryTimerClient):
    def _open(self) -> WorkerTable:
        while _server_of(self._directory) and not _is_served(self._directory):
            time.sleep(0.01)
        return super()._open()


@breaks("DURABLE-SERVER-CRASH", seen="acquire has not come back while there was no server")
class WaitsForAServerAtFirst(_WithClient):
    """A client that is used for the first time while there is no server waits for one."""

    client_class = _WaitsForAServerAtFirst


# Servers meet ------------------------------------------------------------------------------------


class _GivesUpItsLock(SharedMemoryTimerServer):
    def start(self) -> None:
        super().start()
        lock = self._tables._server_lock
        assert lock is not None
        fcntl.lockf(lock._fd, fcntl.LOCK_UN)


@breaks("DURABLE-TAKEOVER", seen="a second server was started beside one that lives")
class GivesUpItsLock(SharedMemoryBackend):
    """What keeps a second server out is given up as soon as the first one has started."""

    server_class = _GivesUpItsLock


class _RobsTheStopped(SharedMemoryTimerServer):
    def start(self) -> None:
        if STOPPED in thread_states(_server_of(self.directory)):
            (self.directory / "server").unlink()
        super().start()


@breaks("DURABLE-TAKEOVER", seen="a second server was started beside one that lives")
class RobsTheStopped(SharedMemoryBackend):
    """A server that is suspended is taken for dead, and its lock is removed."""

    server_class = _RobsTheStopped


class _SaysItInItsOwnWords(SharedMemoryTimerServer):
    def start(self) -> None:
        try:
            super().start()
        except ServerRunningError as error:
            raise OSError(str(error)) from None


@breaks("DURABLE-TAKEOVER", seen="a second server was refused with builtins.OSError")
class SaysItInItsOwnWords(SharedMemoryBackend):
    """A second server is refused with another error than the one that is documented."""

    server_class = _SaysItInItsOwnWords


class _BearsAGrudge(SharedMemoryTimerServer):
    def start(self) -> None:
        mark = self.directory / "refused"
        if mark.exists():
            raise ServerRunningError(f"another server serves {self.directory}")
        try:
            super().start()
        except ServerRunningError:
            mark.touch(0o600)
            raise


@breaks("DURABLE-TAKEOVER", seen="refused, though the other is dead")
class BearsAGrudge(SharedMemoryBackend):
    """Once a second server was refused, all are, also when the first one is dead."""

    server_class = _BearsAGrudge


class _ChangesTheBell(SharedMemoryTimerServer):
    def start(self) -> None:
        if _server_of(self.directory) != os.getpid() and _is_served(self.directory):
            (self.directory / "bell").unlink()
            os.mkfifo(self.directory / "bell", 0o600)
        super().start()


@breaks("DURABLE-TAKEOVER", seen="is alive")
class ChangesTheBell(SharedMemoryBackend):
    """A second server makes its own named pipe before it is refused, so the first hears no more."""

    server_class = _ChangesTheBell


class _ReapsTwice(SharedMemoryTimerServer):
    def _reap_worker(self, worker_id: int) -> bool:
        reaped = super()._reap_worker(worker_id)
        aim(worker_id)
        return reaped


@breaks("DURABLE-TAKEOVER", seen="was reaped 2 times")
class ReapsTwice(SharedMemoryBackend):
    """A worker that hangs is sent a second signal, to be sure."""

    server_class = _ReapsTwice

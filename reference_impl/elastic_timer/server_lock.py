"""One server at a time for a directory: a lock that ends with its owner's process, however it does.

Source: fcntl(2), "Advisory record locking". Such a lock belongs to the process: forked workers do
not hold it, and nothing is left behind when its owner is killed.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from .errors import ServerRunningError

__all__ = ["ServerLock"]

# A process does not lock itself out, and would even lose its lock when it closed another
# descriptor of the file. A directory is known by its device and number, since paths may differ.
_held_here: dict[tuple[int, int], ServerLock] = {}
os.register_at_fork(after_in_child=_held_here.clear)


class ServerLock:
    """Held from construction until :meth:`release`, or until this process ends.

    Args:
        directory: what there is to be one server of.

    Raises:
        ServerRunningError: another server holds it (DURABLE-TAKEOVER).
    """

    def __init__(self, directory: Path) -> None:
        status = os.stat(directory)
        self._key = status.st_dev, status.st_ino
        self._owner = os.getpid()
        if _held_here.setdefault(self._key, self) is not self:
            raise ServerRunningError(f"another server of this process serves {directory} already")
        self._fd = -1
        try:
            self._fd = os.open(directory / "server", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._lock(directory)
        except BaseException:
            self.release()
            raise

    @property
    def is_held(self) -> bool:
        """Whether this is the process that holds it, and not a child that it has forked."""
        return self._owner == os.getpid()

    def release(self) -> None:
        """Let another server be started."""
        if self._fd >= 0:
            os.close(self._fd)
        if self.is_held:
            del _held_here[self._key]

    def _lock(self, directory: Path) -> None:
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            owner = os.pread(self._fd, 20, 0).decode(errors="replace") or "unknown"
            raise ServerRunningError(
                f"process {owner} serves {directory} already; stop it, or use another directory"
            ) from None
        # For the message above; the lock itself does not depend on it.
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, str(os.getpid()).encode(), 0)

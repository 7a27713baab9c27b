"""A request queue in a named pipe: writers find it by its path.

At any time one server reads it. It holds a lock on the pipe while it does, and the lock also tells
clients whom they talk to: a server that holds it can read although clients keep the pipe open.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
import termios
import threading
import weakref
from typing import NamedTuple

from .line_reader import LineReader
from .pipe_queue import PipeQueue, close_descriptors

__all__ = ["NamedPipe", "has_locking_reader"]

_ATTEMPTS = 10
"""How often to begin again when the path changes while it is being opened. Others only remove or
replace it when they start or stop, so twice in a row is a coincidence."""

_LAST_READS = 100
"""How often to look for what was written while the reading end was being closed. Each time has
room for what fits between two system calls, so more than once or twice is a flood."""

_MODE = 0o600
"""Its user alone may read and write (SECURITY-PERMISSIONS)."""

_LOCK = "hhqqi4x"
"""The kernel's ``struct flock``: type, whence, start, length, pid; see fcntl_locking(2)."""


class NamedPipe(PipeQueue):
    """A :class:`~elastic_timer.RequestQueue` that reads a named pipe, which it makes.

    A pipe that a dead server of the same user has left at the path is taken over.

    Args:
        path: where the pipe is to be; its directory has to exist.
        reader: makes requests of the lines.

    Raises:
        FileExistsError: there is something else at ``path``, a pipe of another user's, or one
            that another server reads. It is left alone.
        OSError: the path cannot be used for another reason.
    """

    def __init__(self, path: str, reader: LineReader) -> None:
        super().__init__(reader)
        self._path = path
        self._lifecycle = threading.RLock()
        self.open()

    def open(self) -> None:
        """Make the pipe at its path, and begin to read it; nothing if that is done."""
        with self._lifecycle:
            if self._write_fd >= 0:
                return
            opened = _open(self._path)
            self._attach(opened.read_fd, opened.write_fd)
            self._removal = weakref.finalize(
                self, _abandon, self._path, opened.identity, os.getpid()
            )
            self._closing = weakref.finalize(
                self, close_descriptors, opened.read_fd, opened.write_fd
            )
            self._closing.atexit = False  # the watchdog's thread may still read then
            self.read_here_only()

    def close(self) -> None:
        """Remove the path, and tell writers that nobody reads any more.

        Requests that were written before writers were told can still be got.
        """
        with self._lifecycle:
            if self._write_fd < 0:
                return
            self.wake()
            with self._reading:
                self._detach()
                _unlink(self._path, _identity(os.fstat(self._write_fd)))
                self._receive()
                self._close_reading_end()
                self._take(b"\n")  # what is left is half a line, which nobody will complete
                close_descriptors(self._write_fd)
                self._write_fd = -1

    def wake(self) -> None:
        """Make a waiting ``get`` return with what it has."""
        with self._lifecycle:  # the descriptor must not become another file's meanwhile
            super().wake()

    def close_copy(self) -> None:
        """Close what a fork copied; a child has no part in its parent's server."""
        self._detach()
        super().close_copy()
        close_descriptors(self._write_fd)
        self._write_fd = -1
        self._lifecycle = threading.RLock()
        self._reading = threading.RLock()

    def _detach(self) -> None:
        self._removal.detach()
        self._closing.detach()

    def _close_reading_end(self) -> None:
        """Close it in such a way that a request is either refused or read, never lost.

        Without a reader, writing fails; what was written until then stays in the pipe as long as
        any end is open. So it is looked for after closing, and read through a new reading end.
        """
        for _ in range(_LAST_READS):
            close_descriptors(self._read_fd)
            self._read_fd = -1
            if not _unread(self._write_fd):
                return
            self._read_fd = _reopen(self._write_fd, os.O_RDONLY)
            self._receive()
        close_descriptors(self._read_fd)
        self._read_fd = -1


class _Opened(NamedTuple):
    """The two ends of a named pipe, and which file it is."""

    read_fd: int
    write_fd: int
    identity: tuple[int, int]


def has_locking_reader(fd: int) -> bool:
    """Tell whether a :class:`NamedPipe` reads the pipe that ``fd`` is open for writing to.

    Asking takes no lock, so it cannot be in anybody's way.
    """
    lock = struct.pack(_LOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        lock = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, lock)
    except OSError:
        return False  # a file system without locks
    kind: int = struct.unpack(_LOCK, lock)[0]
    return kind != fcntl.F_UNLCK


def _open(path: str) -> _Opened:
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, _MODE)
        try:
            # All that follows is done to the file found here, whatever becomes of the path.
            anchor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue  # somebody has removed it
        try:
            opened = _claim(path, anchor)
        finally:
            os.close(anchor)
        if opened is not None:
            return opened
    raise FileExistsError(errno.EEXIST, "others keep replacing what is at this path", path)


def _claim(path: str, anchor: int) -> _Opened | None:
    """Open both ends of a pipe that nobody reads; return None to begin again."""
    status = os.fstat(anchor)
    if not stat.S_ISFIFO(status.st_mode):
        raise _occupied(path, "there is something here that is no named pipe")
    if status.st_uid != os.geteuid():
        raise _occupied(path, f"the named pipe here belongs to the user {status.st_uid}")
    try:
        os.close(_reopen(anchor, os.O_WRONLY))
    except OSError as error:
        if error.errno not in (errno.ENXIO, errno.EACCES):
            raise
    else:
        raise _occupied(path, "another timer server reads the named pipe here")
    if status.st_mode & _MODE != _MODE:
        os.chmod(f"/proc/self/fd/{anchor}", _MODE)  # the umask took something off it
    read_fd = write_fd = -1
    try:
        read_fd = _reopen(anchor, os.O_RDONLY)
        write_fd = _reopen(anchor, os.O_WRONLY)
        _lock(path, write_fd)
        if status.st_mode & 0o077:
            # It was open to others, who may hold a descriptor of it: make another one.
            _unlink(path, _identity(status))
        elif _same(path, _identity(status)):
            opened = _Opened(read_fd, write_fd, _identity(status))
            read_fd = write_fd = -1
            return opened
        return None
    finally:
        close_descriptors(read_fd, write_fd)


def _lock(path: str, write_fd: int) -> None:
    """Be the one server that reads this pipe, until ``write_fd`` is closed.

    An open-file-description lock; see fcntl_locking(2). A forked worker's copy does not end it.
    """
    lock = struct.pack(_LOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        fcntl.fcntl(write_fd, fcntl.F_OFD_SETLK, lock)
    except BlockingIOError:
        raise _occupied(path, "another timer server is opening the named pipe here") from None


def _occupied(path: str, why: str) -> FileExistsError:
    return FileExistsError(errno.EEXIST, f"{why}; it is left alone: choose another path", path)


def _reopen(fd: int, flags: int) -> int:
    return os.open(f"/proc/self/fd/{fd}", flags | os.O_NONBLOCK)


def _unread(fd: int) -> int:
    """Return how many bytes a pipe holds."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), "little")


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _same(path: str, identity: tuple[int, int]) -> bool:
    try:
        return _identity(os.lstat(path)) == identity
    except FileNotFoundError:
        return False


def _unlink(path: str, identity: tuple[int, int]) -> None:
    """Remove a path, unless it has become somebody else's."""
    if _same(path, identity):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _abandon(path: str, identity: tuple[int, int], owner: int) -> None:
    """Remove the path of a server that was never stopped."""
    if os.getpid() == owner:
        _unlink(path, identity)

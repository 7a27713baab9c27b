"""Which workers have exited: the kernel says so, nobody has to be asked one by one."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select

from .worker import UNKNOWN, WorkerId, start_time

__all__ = ["ExitWatch"]

logger = logging.getLogger(__name__)

_FOR_NOW = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What keeps a server from opening something, but not for ever."""


class ExitWatch:
    """Tells which of the watched workers have exited, at a cost that idle workers do not add to.

    A pidfd becomes readable when its process ends (pidfd_open(2)), and one epoll instance waits on
    all of them. On a system without pidfds nothing is ever reported; then a dead worker's timers
    leave the table when they expire. (PROCESS-EXITED)
    """

    def __init__(self) -> None:
        self._epoll: select.epoll | None = None
        self._workers: dict[int, WorkerId] = {}  # by pidfd
        self._already_gone: list[WorkerId] = []
        self._not_yet: list[WorkerId] = []  # to be watched when there are descriptors again

    def watch(self, worker_id: WorkerId) -> None:
        """Begin to watch a worker's process; one that is already gone is reported next time.

        For want of a descriptor it is begun later.
        """
        try:
            if self._epoll is None:
                self._epoll = select.epoll()
            pidfd = os.pidfd_open(worker_id)
        except (ProcessLookupError, OverflowError):
            self._already_gone.append(worker_id)
            return
        except (AttributeError, OSError) as error:
            logger.debug("the exit of worker %d cannot be watched: %s", worker_id, error)
            if getattr(error, "errno", None) in _FOR_NOW:
                self._not_yet.append(worker_id)
            return
        # Where it cannot be told, for want of a descriptor, it is not taken for gone.
        if start_time(worker_id) not in (UNKNOWN, worker_id.start_time):
            os.close(pidfd)
            self._already_gone.append(worker_id)
            return
        self._epoll.register(pidfd, select.EPOLLIN)
        self._workers[pidfd] = worker_id

    def exited(self) -> list[WorkerId]:
        """Return the workers that have exited since the last call, without waiting."""
        not_yet, self._not_yet = self._not_yet, []
        for worker_id in not_yet:
            self.watch(worker_id)
        exited, self._already_gone = self._already_gone, []
        if self._epoll is not None:
            for pidfd, _ in self._epoll.poll(0):
                # Closing alone would not take it out of the set: a forked worker holds a copy.
                self._epoll.unregister(pidfd)
                os.close(pidfd)
                exited.append(self._workers.pop(pidfd))
        return exited

    def close(self) -> None:
        """Stop watching, and give the descriptors back."""
        for pidfd in self._workers:
            os.close(pidfd)
        self._workers.clear()
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

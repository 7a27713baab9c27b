"""Wrong `expires`: which timer a block means that names none."""

from __future__ import annotations

import itertools
import os
import re
import sys
import threading
import time
from types import TracebackType

from elastic_timer import expires as right
from elastic_timer.expires import _flow_scope

from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.namespace import WithExpires, client_of

# The call site -----------------------------------------------------------------------------------


class _WithAColon(right):
    def __enter__(self) -> None:
        if self._scope is None:
            self._site = self._site.replace("#", ":")
        super().__enter__()


@breaks("EXPIRES-DEFAULT-SCOPE", seen="and its scope is")
class FileAndLineWithAColon(WithExpires):
    """The default scope is `file:line`."""

    expires_class = _WithAColon


class _LineOfTheEntry(right):
    def __enter__(self) -> None:
        if self._scope is None:
            caller = sys._getframe(1)
            self._site = f"{caller.f_code.co_filename}#{caller.f_lineno}"
        super().__enter__()


@breaks("EXPIRES-DEFAULT-SCOPE", seen="the call is on line")
class LineOfTheEntry(WithExpires):
    """The default scope names the line that enters the block, and not that of the call."""

    expires_class = _LineOfTheEntry


class _KnowsFilesByName(right):
    def __enter__(self) -> None:
        if self._scope is None:
            self._site = os.path.basename(self._site)
        super().__enter__()


@breaks("EXPIRES-DEFAULT-SCOPE-DISTINCT", seen="two files of one name, and one scope")
class KnowsFilesByName(WithExpires):
    """The default scope knows a file by its name, and leaves out the folder."""

    expires_class = _KnowsFilesByName


class _DisarmsAround(right):
    _in_thread = threading.local()

    def __enter__(self) -> None:
        super().__enter__()
        self._around().append(self)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(exc_type, exc, traceback)
        around = self._around()
        around.remove(self)
        outer = around[-1] if around else self
        if self._scope is None and outer._scope is None and outer._site != self._site:
            client_of(outer).release(outer.scope_id)

    def _around(self) -> list[_DisarmsAround]:
        blocks: list[_DisarmsAround] = self._in_thread.__dict__.setdefault("blocks", [])
        return blocks


@breaks("EXPIRES-DEFAULT-SCOPE-DISTINCT", seen="the end of the inner block disarmed the outer one")
class InnerEndDisarmsOuter(WithExpires):
    """The end of a block releases the block around it too, if neither names a scope."""

    expires_class = _DisarmsAround


# Recursion ---------------------------------------------------------------------------------------


class _OneForEachEntry(right):
    _numbers = itertools.count()

    def __enter__(self) -> None:
        if self._scope is None:
            self._site = f"{self._site}/{next(self._numbers)}"
        super().__enter__()


@breaks("EXPIRES-RECURSION", seen="one call site, several timers")
class OneTimerForEachEntry(WithExpires):
    """Every entry has a timer of its own, the same block's in recursion too."""

    expires_class = _OneForEachEntry


class _KeepsTheLater(right):
    until = 0.0

    def __enter__(self) -> None:
        super().__enter__()
        self.until = time.time() + self.after
        outer = self.outer
        if self._scope is None and isinstance(outer, _KeepsTheLater) and outer.until > self.until:
            client_of(self).acquire(self.scope_id, outer.until)


@breaks("EXPIRES-RECURSION", seen="not the last entry's time")
class RecursionOnlyPutsOff(WithExpires):
    """Entering a block again inside itself puts its time off, and does not put it forward."""

    expires_class = _KeepsTheLater


# Threads and tasks -------------------------------------------------------------------------------


class _WithoutThread(right):
    def __enter__(self) -> None:
        if self._scope is None:
            self._scope = re.sub("@thread-[0-9a-f]+", "", _flow_scope(self._site))
        super().__enter__()


@breaks("EXPIRES-THREADS", seen="two are in the block, with timers")
class ThreadsShareATimer(WithExpires):
    """The default scope is the same in all threads."""

    expires_class = _WithoutThread


class _ByName(right):
    def __enter__(self) -> None:
        if self._scope is None:
            name = f"@{threading.current_thread().name}"
            self._scope = re.sub("@thread-[0-9a-f]+", name, _flow_scope(self._site))
        super().__enter__()


@breaks("EXPIRES-THREADS", seen="two are in the block, with timers")
class KnowsThreadsByName(WithExpires):
    """The default scope knows a thread by its name, which another one may have too."""

    expires_class = _ByName


class _EachItsOwn(right):
    def __enter__(self) -> None:
        if self._scope is not None:
            self._scope = _flow_scope(self._scope)
        super().__enter__()


@breaks("EXPIRES-THREADS", seen="two threads gave the scope 'scope', and the timers were")
class ThreadsDoNotShareWhatIsGiven(WithExpires):
    """A scope that is given is another one in each thread."""

    expires_class = _EachItsOwn


class _WithoutTask(right):
    def __enter__(self) -> None:
        if self._scope is None:
            self._scope = re.sub("@task-[0-9a-f]+", "", _flow_scope(self._site))
        super().__enter__()


@breaks("EXPIRES-TASKS", seen="two are in the block, with timers")
class TasksShareATimer(WithExpires):
    """The default scope is the same in all tasks of a thread."""

    expires_class = _WithoutTask

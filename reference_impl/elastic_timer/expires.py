"""The worker's face: ``configure`` a client once, and guard blocks with ``expires``."""

from __future__ import annotations

import logging
import os
import sys
import threading
from _thread import get_ident
from collections.abc import Callable
from functools import partial, wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, SupportsFloat, TypeVar, cast

from .blocks import enter_block, leave_block
from .clock import finite_seconds

if TYPE_CHECKING:
    from .api import TimerClient

__all__ = ["configure", "expires"]

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

_CO_GENERATOR, _CO_COROUTINE, _CO_ASYNC_GENERATOR = 0x20, 0x80, 0x200  # inspect's flags

_configured: TimerClient | None = None


def configure(timer_client: TimerClient | None) -> None:
    """Set the client that :class:`expires` uses in this process.

    Args:
        timer_client: the client; ``None`` takes an earlier one away.
    """
    global _configured
    _configured = timer_client
    logger.info("timer client: %s", type(timer_client).__name__)


class expires:
    """Guard a block: the worker is reaped unless it leaves the block in time.

    Usable in ``with`` and ``async with``, and as a decorator of functions and coroutine functions::

        with expires(after=60):
            train_one_step()

    Blocks of one scope may nest, in recursion for instance: the inner block re-acquires the timer,
    and when it ends, the enclosing block's timer is armed again with its own ``after`` from that
    moment. (EXPIRES-RECURSION, EXPIRES-NESTED-REARM)

    Args:
        after: seconds from entering the block until the worker is reaped. Zero or less has
            expired at once.
        scope: the timer's scope; blocks with the same scope share one timer. Without it the scope
            is ``file#line`` of the call, and each thread and asyncio task has a timer of its own.
        client: the client to use; without it, the one that was set with :func:`configure`.

    Raises:
        TypeError: ``after`` is not a number.
        ValueError: ``after`` is NaN or infinite.
        RuntimeError: on entering, if no client is configured or given, or if this very object
            guards a block already (make another one).
    """

    __slots__ = (
        "_client",
        "_leave",
        "_scope",
        "_site",
        "after",
        "deadline",
        "outer",
        "scope_id",
        "slot",
        "thread",
    )

    after: float
    """Seconds from entering the block until its timer expires."""
    scope_id: str
    """The scope of the block's timer, from entering the block on."""
    outer: expires | None
    """The block around this one that has the same scope, while both are being executed."""
    thread: int
    """The thread that is in the block, if the client wants to know."""
    slot: Any
    """For the client's use: where the block's timer is."""
    deadline: float
    """For the client's use: what the timer's deadline is, on the monotonic clock."""

    def __init__(
        self, after: SupportsFloat, scope: str | None = None, client: TimerClient | None = None
    ) -> None:
        # What is not finite differs from itself, or gives no difference that is zero.
        if type(after) is float and after - after == 0.0:
            self.after = after
        else:
            self.after = finite_seconds(after, "after")
        self._scope = scope
        self._client = client
        self._leave: Callable[[expires], None] | None = None
        if scope is None:
            caller = sys._getframe(1)
            self._site = f"{caller.f_code.co_filename}#{caller.f_lineno}"

    def __enter__(self) -> None:
        client = _configured if self._client is None else self._client
        if client is None:
            raise RuntimeError(
                "no timer client: call configure(client) in this process before entering a block "
                "that is guarded by expires(), or give expires(..., client=client)"
            )
        if self._leave is not None:
            raise RuntimeError("this expires() guards a block already; make one for each block")
        scope = self._scope
        self.scope_id = _flow_scope(self._site) if scope is None else scope
        try:
            enter, leave = client.enter_block, client.leave_block
        except AttributeError:
            # It is nobody's subclass, but it may do.
            enter, leave = partial(enter_block, client), partial(leave_block, client)
        enter(self)
        self._leave = leave

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        leave, self._leave = self._leave, None
        if leave is None:
            return
        try:
            leave(self)
        except Exception:
            if exc is None:
                raise
            # The block's own exception is the one that matters (CLIENT-RELEASE-QUIET).
            logger.exception("could not release the timer %r after the block raised", self.scope_id)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(exc_type, exc, traceback)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Guard every call of ``function``; the default scope is the decorator's line.

        Raises:
            TypeError: ``function`` is a generator function, whose body does not run in its call.
        """
        flags: int = getattr(getattr(function, "__code__", None), "co_flags", 0)
        if flags & (_CO_GENERATOR | _CO_ASYNC_GENERATOR):
            raise TypeError(
                f"expires() cannot decorate the generator function {function.__qualname__!r}: "
                "its body runs after the call has returned; use 'with expires(...)' inside it"
            )
        if flags & _CO_COROUTINE:

            @wraps(function)
            async def guarded_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self._again():
                    return await cast(Any, function(*args, **kwargs))

            return cast(Callable[P, R], guarded_coroutine)

        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._again():
                return function(*args, **kwargs)

        return guarded

    def _again(self) -> expires:
        """Return a new block like this one: calls may recurse and run side by side."""
        again = expires(self.after, self._scope, self._client)
        if self._scope is None:
            again._site = self._site
        return again


def _flow_scope(site: str) -> str:
    """Return the default scope of a call site in this thread and its current asyncio task.

    The main thread's is the plain ``file#line``, as users expect to read it in a log.
    """
    thread = get_ident()
    if thread != _main_thread:
        site = f"{site}@thread-{thread:x}"
    running_loop = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    if running_loop is not None and running_loop() is not None:
        task = sys.modules["asyncio"].current_task()
        if task is not None:
            site = f"{site}@task-{id(task):x}"
    return site


_main_thread = threading.main_thread().ident


def _after_fork_in_child() -> None:
    global _main_thread
    _main_thread = get_ident()


os.register_at_fork(after_in_child=_after_fork_in_child)

"""Guarded blocks that are being executed, and what becomes of a timer when they nest.

Blocks of one client and scope share a timer, which is the innermost one's. When that block ends,
the timer is armed again for the block around it, with that block's own ``after`` from then on; when
a block ends that is not the innermost, the innermost keeps the timer. So it is for recursion, and
for threads that are in blocks of one scope at the same time. (EXPIRES-NESTED-REARM)
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from .clock import Instant

if TYPE_CHECKING:
    from .expires import expires

__all__ = ["enter_block", "leave_block", "unlink"]

# The innermost block by client and scope; each block knows the one around it.
_innermost: dict[tuple[int, str], expires] = {}

# Held while a request is sent, so that requests go out in the order of what they follow from.
# Reentrant, because a signal handler may guard a block too.
_lock = threading.RLock()


def enter_block(client: Any, block: expires) -> None:
    """Acquire the timer for a block that is entered."""
    key = id(client), block.scope_id
    block.thread = threading.get_ident()
    with _lock:
        client.acquire(block.scope_id, Instant.now().after(block.after))
        block.outer = _innermost.get(key)
        _innermost[key] = block


def leave_block(client: Any, block: expires) -> None:
    """Release the timer of a block that is left, or arm it again for the block around it."""
    key = id(client), block.scope_id
    with _lock:
        innermost = _innermost[key]
        if innermost is not block:
            unlink(block, innermost)
        elif block.outer is None:
            del _innermost[key]
            client.release(block.scope_id)
        else:
            _innermost[key] = block.outer
            client.acquire(block.scope_id, Instant.now().after(block.outer.after))


def unlink(block: expires, innermost: expires) -> None:
    """Take out a block that ends before one that was entered after it."""
    inner: expires | None = innermost
    while inner is not None and inner.outer is not block:
        inner = inner.outer
    if inner is not None:
        inner.outer = block.outer


def _after_fork_in_child() -> None:
    """Forget the blocks of threads that the child does not have, and their hold on the lock."""
    global _lock
    _lock = threading.RLock()
    me = threading.get_ident()
    for key, innermost in list(_innermost.items()):
        mine = []
        block: expires | None = innermost
        while block is not None:
            if block.thread == me:
                mine.append(block)
            block = block.outer
        if mine:
            _innermost[key] = mine[0]
            for inner, outer in zip(mine, [*mine[1:], None], strict=True):
                inner.outer = outer
        else:
            del _innermost[key]


os.register_at_fork(after_in_child=_after_fork_in_child)

r"""A request as one line of bytes, and back.

A line is ``timer PID START EXPIRATION DEADLINE SCOPE``: the worker's pid and start time, when the
timer expires on the wall clock and on the monotonic clock (``repr`` of the floats, so that no bit
is lost), and the scope in UTF-8 with ``\\`` and ``\n`` for a backslash and a newline. It is
written with a newline before and after it: bytes that somebody else left in the pipe can then
never become part of a request.
"""

from __future__ import annotations

import math
import re

from .api import TimerRequest
from .clock import Instant
from .line_reader import LineReader
from .worker import UNKNOWN, WorkerId

__all__ = ["RequestReader", "request_line"]

_KNOWN_WORKERS = 4096
"""Worker ids to keep for reuse, so that a worker's next request need not make its id again."""


def request_line(request: TimerRequest) -> bytes:
    """Return the line for ``request``, with the newlines around it.

    Raises:
        TypeError: the worker id is not an integer, or the scope is not text.
        ValueError: the expiration time is NaN.
    """
    worker_id = request.worker_id
    expiration = request.expiration_time
    scope_id = request.scope_id
    if not isinstance(worker_id, int) or not isinstance(scope_id, str):
        raise TypeError(f"a request through a pipe needs an int and a str to name it: {request!r}")
    start = worker_id.start_time if isinstance(worker_id, WorkerId) else UNKNOWN
    if type(expiration) is Instant:
        epoch, deadline = float(expiration), expiration.monotonic
    else:
        epoch = float(expiration)
        deadline = 0.0 if epoch < 0 else Instant.of(epoch).monotonic
    if math.isnan(epoch):
        raise ValueError(f"the expiration time must be a number: {request!r}")
    scope = scope_id.encode("utf-8", "surrogatepass")
    if b"\n" in scope or b"\\" in scope:
        scope = scope.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    return b"\ntimer %d %d %a %a %b\n" % (worker_id, start, epoch, deadline, scope)


class RequestReader(LineReader):
    """Puts requests together from the pieces in which they arrive."""

    __slots__ = ("_workers",)

    def __init__(self) -> None:
        super().__init__()
        self._workers: dict[tuple[bytes, bytes], WorkerId] = {}

    def request(self, line: bytes) -> TimerRequest:
        """Return the request that a line is, or raise ValueError and say why it is none."""
        kind, pid, start, epoch, deadline, scope = line.split(b" ", 5)
        if kind != b"timer":
            raise ValueError("it does not begin with 'timer'")
        expiration: float = float(epoch)
        if not expiration < 0:
            due = float(deadline)
            # False for NaN too, and cheaper than asking whether each is finite.
            if not (expiration < math.inf and -math.inf < due < math.inf):
                raise ValueError("its time is not a number")
            expiration = Instant(expiration, due)
        if b"\\" in scope:
            scope = re.sub(rb"\\(.)", lambda m: b"\n" if m[1] == b"n" else m[1], scope)
        worker_id = self._workers.get((pid, start)) or self._meet(pid, start)
        try:
            scope_id = scope.decode()
        except UnicodeDecodeError:  # lone surrogates are text too; naming a handler costs more
            scope_id = scope.decode("utf-8", "surrogatepass")
        return TimerRequest(worker_id, scope_id, expiration)

    def _meet(self, pid: bytes, start: bytes) -> WorkerId:
        if len(self._workers) >= _KNOWN_WORKERS:
            self._workers.clear()
        worker_id = self._workers[pid, start] = WorkerId(int(pid), int(start))
        return worker_id

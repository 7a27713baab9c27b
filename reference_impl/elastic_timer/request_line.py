"""A request as one line of bytes, and back.

A line says when a timer expires, and which one. In network order, that is the time on the wall
clock and on the monotonic clock (floats of 8 bytes), ``timer ``, the worker's pid and start time
(integers of 8 bytes), the scope's length (2 bytes), by which a line that was cut short is noticed,
and the scope in UTF-8. A newline inside is escaped, and so is the escape character.

A line is written with a newline before and after it: bytes that somebody else left in the pipe can
then never become part of a request.
"""

from __future__ import annotations

import math
import struct

from .api import TimerRequest
from .clock import Instant
from .line_reader import LineReader
from .worker import UNKNOWN, WorkerId

__all__ = ["RequestReader", "request_line"]

_KNOWN_WORKERS = 4096
"""Worker ids to keep for reuse, so that a worker's next request need not make its id again."""

_KNOWN_TIMERS = 4096
"""Timers to keep for reuse: a worker goes round through the same few."""

_KIND = b"timer "
_TIMES = struct.Struct(">dd")
_TIMER = struct.Struct(f">{len(_KIND)}sqqH")
_TIMES_SIZE = _TIMES.size

_ESCAPE, _ESCAPED_ESCAPE, _ESCAPED_NEWLINE = b"\x10", b"\x10e", b"\x10n"

# As numbers, they are looked for many times faster.
_ESCAPE_BYTE, _NEWLINE_BYTE = b"\x10\n"

_LONGEST_SCOPE = (1 << 16) - 1
"""What the length can say; a pipe carries less in one piece."""

_INFINITE = math.inf

_new = object.__new__
_new_float = float.__new__
_times = _TIMES.unpack_from


def request_line(request: TimerRequest) -> bytes:
    """Return the line for ``request``, with the newlines around it.

    Raises:
        TypeError: the worker id is not an integer, or the scope is not text.
        ValueError: the expiration time is NaN, or the worker id takes more than 64 bits.
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
    try:
        timer = _TIMER.pack(_KIND, worker_id, start, min(len(scope), _LONGEST_SCOPE))
    except struct.error:
        raise ValueError(f"a worker id takes 64 bits at most: {request!r}") from None
    line = _TIMES.pack(epoch, deadline) + timer + scope
    if _ESCAPE_BYTE in line or _NEWLINE_BYTE in line:
        line = line.replace(_ESCAPE, _ESCAPED_ESCAPE).replace(b"\n", _ESCAPED_NEWLINE)
    return b"\n%b\n" % line


def _unescaped(line: bytes) -> bytes:
    escapes = line.count(_ESCAPED_ESCAPE) + line.count(_ESCAPED_NEWLINE)
    if line.count(_ESCAPE) != escapes:
        raise ValueError("it has an escape that means nothing")
    return line.replace(_ESCAPED_NEWLINE, b"\n").replace(_ESCAPED_ESCAPE, _ESCAPE)


class RequestReader(LineReader):
    """Puts requests together from the pieces in which they arrive."""

    __slots__ = ("_timers", "_workers")

    def __init__(self) -> None:
        super().__init__()
        self._workers: dict[tuple[int, int], WorkerId] = {}
        self._timers: dict[bytes, tuple[WorkerId, str]] = {}

    def request(self, line: bytes) -> TimerRequest:
        """Return the request that a line is, or raise ValueError and say why it is none."""
        if _ESCAPE_BYTE in line:
            line = _unescaped(line)
        timer = line[_TIMES_SIZE:]
        try:
            worker_id, scope_id = self._timers[timer]
        except KeyError:
            worker_id, scope_id = self._meet(timer)
        expiration, due = _times(line)
        if expiration < 0:
            return TimerRequest(worker_id, scope_id, expiration)
        # False for NaN too, and cheaper than asking whether each is finite.
        if not (expiration < _INFINITE and -_INFINITE < due < _INFINITE):
            raise ValueError("its time is not a number")
        # TimerRequest(worker_id, scope_id, Instant(expiration, due)), spelt out: a server under
        # load does little else.
        instant = _new_float(Instant, expiration)
        instant.monotonic = due
        request: TimerRequest = _new(TimerRequest)
        request.worker_id = worker_id
        request.scope_id = scope_id
        request.expiration_time = instant
        return request

    def _meet(self, timer: bytes) -> tuple[WorkerId, str]:
        """Return whose timer is meant, and its scope, or raise ValueError."""
        try:
            kind, pid, start, length = _TIMER.unpack_from(timer)
        except struct.error:
            raise ValueError("it is shorter than any request") from None
        if kind != _KIND:
            raise ValueError("it does not say that it is about a timer")
        scope = timer[_TIMER.size :]
        if len(scope) != length:
            raise ValueError(f"its scope has {len(scope)} bytes and was to have {length}")
        scope_id = scope.decode("utf-8", "surrogatepass")  # lone surrogates are text too
        if len(self._workers) >= _KNOWN_WORKERS:
            self._workers.clear()
        worker_id = self._workers.setdefault((pid, start), WorkerId(pid, start))
        if len(self._timers) >= _KNOWN_TIMERS:
            self._timers.clear()
        known = self._timers[timer] = worker_id, scope_id
        return known

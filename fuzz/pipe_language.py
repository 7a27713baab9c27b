"""Requests as binary lines, as a ``RequestPipe`` reads them."""

from __future__ import annotations

import math
import struct
from random import Random
from typing import Any

from elastic_timer import TimerRequest
from elastic_timer.clock import Instant
from elastic_timer.request_line import RequestReader, request_line
from elastic_timer.worker import WorkerId

from .garbage import number, scope
from .language import Language, Line, Request

__all__ = ["PIPE"]

_TIMES = struct.Struct(">dd")
_KIND = b"timer "
_SCOPE_AT = struct.calcsize(f">dd{len(_KIND)}sqqH")


def _line(rng: Random) -> Line:
    if rng.random() < 0.4:
        expiration = -1.0
    else:
        expiration = Instant(number(rng), rng.uniform(-1e9, 1e9))
    pid = rng.choice((1, 7, 10, 0x0A0A, 0x1010, -5, 2**62, rng.randrange(1, 2**22)))
    request = TimerRequest(WorkerId(pid, rng.randrange(2**40)), scope(rng), expiration)
    return request_line(request).strip(b"\n"), _everything(request)


def _everything(request: Any) -> Request:
    return (
        type(request),
        int(request.worker_id),
        request.worker_id.start_time,
        request.scope_id,
        float(request.expiration_time),
        getattr(request.expiration_time, "monotonic", None),
    )


def _variant(rng: Random, line: bytes) -> bytes:
    return line  # there is one way to write it


def _spoilt(rng: Random) -> bytes:
    request = TimerRequest(WorkerId(7, 3), "train.py#" + "7" * rng.randrange(20), Instant(1e9, 5.0))
    line = request_line(request).strip(b"\n")
    how = rng.randrange(6)
    if how == 0:
        return line[: rng.randrange(1, len(line))]
    if how == 1:
        return line + rng.choice((b"x", b"\x00", b"\x10e"))
    if how == 2:
        bad = rng.choice((math.nan, math.inf, -math.inf))
        times = _TIMES.pack(*rng.choice(((abs(bad), 1.0), (1.0, bad))))
        return times + line[_TIMES.size :]
    if how == 3:
        return line.replace(_KIND, _KIND.upper())
    if how == 4:
        return line[:-1] + rng.choice((b"\xff", b"\x10", b"\x10\x10"))
    return line[:_SCOPE_AT] + b"\x10x" + line[_SCOPE_AT + 2 :]  # an escape that means nothing


PIPE = Language(
    name="pipe",
    reader=RequestReader,
    line=_line,
    before=b"\n",
    variant=_variant,
    spoilt=_spoilt,
    everything=_everything,
)

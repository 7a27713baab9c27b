"""A request as one line of JSON, as PyTorch's ``FileTimerClient`` and ``FileTimerServer`` speak it.

A line is an object with the fields ``version`` (1), ``pid``, ``scope_id``, ``expiration_time`` and
``signal``. Ours bring more along, which a server of PyTorch's does not look at: ``deadline``, the
expiration time on the monotonic clock, and ``start_time``, when the worker's process started. A
request that comes without them is completed by the server, from what it knows when it reads it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import signal
from typing import Any, ClassVar, NoReturn, final

from .api import TimerRequest
from .clock import Instant, finite_seconds
from .line_reader import LineReader
from .worker import UNKNOWN, WorkerId

__all__ = ["FileRequestReader", "FileTimerRequest"]

_VERSION = 1

_LONGEST_PLAIN_SCOPE = 3700
"""Bytes of JSON up to which a scope is written as PyTorch writes it. Beside it, a line has room
in ``PIPE_BUF`` (4096 bytes) for all the other fields at their longest, which take under 300."""

_KNOWN_WORKERS = 4096
"""Worker ids to keep for reuse, so that a worker's next request need not make its id again."""

_PIDS = range(-(2**31), 2**31)
"""What fits ``pid_t``; which of these are never signalled is the reaper's business."""

_START_TIMES = range(UNKNOWN, 2**63)
"""What the kernel may say about the start of a process, in clock ticks."""

_SIGNALS = range(-(2**31), signal.NSIG)
"""What may be asked for: a signal that there is, or none."""


_encode = json.JSONEncoder().encode


class FileTimerRequest(TimerRequest):
    """A request that also says which signal its timer reaps the worker with.

    Two are equal when :attr:`version` and :attr:`signal` are equal as well.

    Args:
        worker_pid: the worker's process id.
        scope_id: which of the worker's timers is meant.
        expiration_time: when the timer expires, in seconds since the epoch; a negative number
            makes the request a release.
        signal: the signal's number; with zero or less the worker is left alone.
    """

    __slots__ = ("signal", "version")

    def __init__(
        self, worker_pid: int, scope_id: str, expiration_time: float, signal: int = 0
    ) -> None:
        super().__init__(worker_pid, scope_id, expiration_time)
        self.version = _VERSION
        self.signal = signal

    @property
    def worker_pid(self) -> int:
        """The worker's process id; the same as ``worker_id``."""
        pid: int = self.worker_id
        return pid

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FileTimerRequest):
            return False
        return (
            super().__eq__(other) and self.version == other.version and self.signal == other.signal
        )

    __hash__ = None

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, signal={self.signal!r})"

    def to_json(self) -> str:
        """Return the line for this request, without its end.

        Raises:
            TypeError: the pid is not an integer, the scope is not text, or the time no number.
            ValueError: the expiration time is NaN or infinite.
        """
        worker_id, scope_id, expiration = self.worker_id, self.scope_id, self.expiration_time
        if not isinstance(worker_id, int) or not isinstance(scope_id, str):
            raise TypeError(f"a request through a file needs an int and a str to name it: {self!r}")
        scope, whole_scope = scope_id, ""
        if not _is_plain(scope_id):
            data = scope_id.encode("utf-8", "surrogatepass")
            scope = "sha256:" + hashlib.sha256(data).hexdigest()
            whole_scope = f', "scope_base64": "{base64.b64encode(data).decode("ascii")}"'
        deadline = start_time = ""
        if type(expiration) is Instant:
            deadline = f', "deadline": {finite_seconds(expiration.monotonic, "deadline")!r}'
        if type(worker_id) is WorkerId and worker_id.start_time > UNKNOWN:
            start_time = f', "start_time": {worker_id.start_time}'
        # A worker pays for this in every block, and a general encoder costs it three times as much.
        return (
            f'{{"version": {int(self.version)}, "pid": {int(worker_id)}, '
            f'"scope_id": {_encode(scope)}, '
            f'"expiration_time": {finite_seconds(expiration, "expiration_time")!r}, '
            f'"signal": {int(self.signal)}{deadline}{start_time}{whole_scope}}}'
        )


def _is_plain(scope_id: str) -> bool:
    """Tell whether JSON carries a scope unchanged, and in a line that is short enough.

    One that it does not is carried in base64, which is shorter for control characters, under a
    stand-in that a server of PyTorch's can tell from all others.
    """
    if scope_id.isascii():
        short = len(scope_id) * 6 <= _LONGEST_PLAIN_SCOPE  # at six bytes for a control character
        return short or len(json.dumps(scope_id)) <= _LONGEST_PLAIN_SCOPE
    try:
        scope_id.encode("utf-8")
    except UnicodeEncodeError:
        return False  # JSON would join two surrogates that are none
    return len(json.dumps(scope_id)) <= _LONGEST_PLAIN_SCOPE


@final
class FileRequestReader(LineReader):
    """Puts requests together from lines of JSON. What it is sent can execute nothing."""

    __slots__ = ("_workers",)

    # Both write it so. Inside of a string, the quotation mark would have a backslash before it.
    opening: ClassVar[bytes] = b'{"version"'

    def __init__(self) -> None:
        super().__init__()
        self._workers: dict[tuple[int, int], WorkerId] = {}

    def request(self, line: bytes) -> FileTimerRequest:
        """Return the request that a line is, or raise ValueError and say why it is none."""
        try:
            fields = _decode(line.decode("utf-8"))
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if type(fields) is not dict:
            raise ValueError("it is not a JSON object")
        if _integer(fields, "version") != _VERSION:
            raise ValueError(f"its version is not {_VERSION}")
        pid = _integer(fields, "pid")
        if pid not in _PIDS:
            raise ValueError("its pid is none")
        signum = _integer(fields, "signal")
        if signum not in _SIGNALS:
            raise ValueError("its signal is none")
        expiration = _number(fields, "expiration_time")
        if expiration >= 0 and "deadline" in fields:
            expiration = Instant(expiration, _number(fields, "deadline"))
        start = _integer(fields, "start_time") if "start_time" in fields else UNKNOWN
        if start not in _START_TIMES:
            raise ValueError("its start_time is none")
        return FileTimerRequest(self._worker(pid, start), _scope(fields), expiration, signum)

    def _worker(self, pid: int, start: int) -> WorkerId:
        worker_id = self._workers.get((pid, start))
        if worker_id is None:
            if len(self._workers) >= _KNOWN_WORKERS:
                self._workers.clear()
            worker_id = self._workers[pid, start] = WorkerId(pid, start)
        return worker_id


def _integer(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if type(value) is not int:
        raise ValueError(f"its {name} is not an integer")
    return value


def _number(fields: dict[str, Any], name: str) -> float:
    value: Any = fields.get(name)
    if type(value) not in (int, float):
        raise ValueError(f"its {name} is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"its {name} is not a finite number")
    return number


def _scope(fields: dict[str, Any]) -> str:
    scope = fields.get("scope_id")
    if "scope_base64" in fields:
        encoded = fields["scope_base64"]
        if type(encoded) is not str:
            raise ValueError("its scope_base64 is not text")
        scope = base64.b64decode(encoded, validate=True).decode("utf-8", "surrogatepass")
    if type(scope) is not str:
        raise ValueError("its scope_id is not text")
    return scope


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


_decode = json.JSONDecoder(parse_constant=_refuse).decode

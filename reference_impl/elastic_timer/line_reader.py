"""Lines of bytes as requests, with whatever else may have got in between."""

from __future__ import annotations

import abc
import select
from typing import ClassVar

from .api import TimerRequest

__all__ = ["LineReader", "MalformedRequestError"]

_LONGEST_LINE = 1 << 16
"""Bytes after which a line that has not ended is given up; sixteen times the longest request."""

_KNOWN_RELEASES = 1024
"""Releases to keep for reuse: a worker releases the same few timers again and again."""

_KEPT_TAIL = 2 * select.PIPE_BUF
"""Bytes at the end of such a line that may yet turn out to be a request: more than any has."""


class MalformedRequestError(ValueError):
    """Bytes that are no request; they are reported and skipped (QUEUE-MALFORMED)."""

    def __init__(self, data: bytes, cause: str) -> None:
        super().__init__(f"skipped {len(data)} bytes that are no request ({cause}): {data[:80]!r}")
        self.data = data


class LineReader(abc.ABC):
    """Puts requests together from the pieces in which they arrive, one to a line.

    Releases that are alike are one and the same object.
    """

    __slots__ = ("_releases", "_rest")

    opening: ClassVar[bytes] = b""
    """How every request begins, and what no request has inside: with it, a request is found even
    behind what somebody else began to write on its line."""

    def __init__(self) -> None:
        self._rest = b""
        self._releases: dict[bytes, TimerRequest] = {}

    @abc.abstractmethod
    def request(self, line: bytes) -> TimerRequest:
        """Return the request that a line is, or raise ValueError and say why it is none."""

    def feed(self, data: bytes) -> tuple[list[TimerRequest], list[MalformedRequestError]]:
        """Take the next bytes; return the requests that they complete, and what was none."""
        requests: list[TimerRequest] = []
        malformed: list[MalformedRequestError] = []
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _LONGEST_LINE:
            malformed.append(MalformedRequestError(self._rest[:-_KEPT_TAIL], "it does not end"))
            self._rest = self._rest[-_KEPT_TAIL:]
        releases = self._releases
        for line in filter(None, lines):
            request = releases.get(line)
            if request is None:
                try:
                    request = self.request(line)
                except ValueError as error:
                    self._salvage(line, error, requests, malformed)
                    continue
                if request.expiration_time < 0:
                    self._keep_release(line, request)
            requests.append(request)
        return requests, malformed

    def _keep_release(self, line: bytes, release: TimerRequest) -> None:
        if len(self._releases) >= _KNOWN_RELEASES:
            self._releases.clear()
        self._releases[line] = release

    def _salvage(
        self,
        line: bytes,
        error: ValueError,
        requests: list[TimerRequest],
        malformed: list[MalformedRequestError],
    ) -> None:
        """Take the request from the end of a line that as a whole is none, if there is one."""
        start = line.rfind(self.opening) if self.opening else 0
        if start > 0:
            malformed.append(MalformedRequestError(line[:start], "another one begins in its line"))
            line = line[start:]
            try:
                requests.append(self.request(line))
                return
            except ValueError as another:
                error = another
        malformed.append(MalformedRequestError(line, str(error)))

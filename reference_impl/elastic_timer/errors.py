"""The errors that a timer may raise inside a worker, one for each thing that can go wrong.

In the order of a request's life: it is made (:class:`RequestTooLargeError`,
:class:`TooManyTimersError`), it is sent (:class:`ServerUnavailableError`,
:class:`RequestQueueFullError`), and a server acts on it (:class:`ProtectedWorkerError`, which no
worker ever sees). :class:`ServerRunningError` is for those who start servers.
"""

from __future__ import annotations

__all__ = [
    "ProtectedWorkerError",
    "RequestQueueFullError",
    "RequestTooLargeError",
    "ServerRunningError",
    "ServerUnavailableError",
    "TooManyTimersError",
]


class RequestTooLargeError(ValueError):
    """A request is larger than its transport can carry whole: use a shorter scope.

    Nothing was sent, and nothing else is disturbed (REQUEST-OVERSIZE).
    """


class TooManyTimersError(RuntimeError):
    """A worker has more timers armed at one time than its table holds."""


class ServerUnavailableError(BrokenPipeError):
    """No server reads this client's requests any more (CLIENT-UNAVAILABLE).

    It is what PyTorch's file-based client raises then, by a name of its own.
    """


class RequestQueueFullError(TimeoutError):
    """The server has not read for so long that its request queue stayed full (QUEUE-BACKPRESSURE).

    The request was not sent. The queue accepts requests again as soon as the server reads.
    """


class ProtectedWorkerError(ValueError):
    """A worker id names something that no server may signal (PROCESS-NEVER-BROADCAST)."""


class ServerRunningError(RuntimeError):
    """Another server keeps the timers already; there is one at a time (DURABLE-TAKEOVER)."""

"""What is no request, for transports that take any bytes."""

from __future__ import annotations

__all__ = ["GARBAGE"]

GARBAGE = {
    "text": b"this is no request\n",
    "not UTF-8": b"\xff\xfe\x80\xc3\n",
    "zeros": b"\0" * 64 + b"\n",
    "JSON that is no object": b"[1, 2, 3]\n",
    "JSON with the wrong fields": b'{"who": 1, "what": "scope"}\n',
    "JSON with the wrong types": (
        b'{"version": 1, "worker_pid": "me", "scope_id": 7, "expiration_time": "soon", '
        b'"signal": []}\n'
    ),
    "JSON that was cut short": b'{"version": 1, "worker_pid": 4711, "sco\n',
    "half a page": b"x" * 2048 + b"\n",
}
"""By what is wrong with it."""

"""Requests as lines of JSON, as ``FileTimerServer`` reads them, PyTorch's among them."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from elastic_timer import FileTimerRequest
from elastic_timer.clock import Instant
from elastic_timer.file_timer_request import FileRequestReader
from elastic_timer.worker import WorkerId

from .garbage import number, scope
from .language import Language, Line, Request

__all__ = ["FILE"]

_BAD_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e999", "9" * 400, '"1.0"', "null", "true", "[]")
_BAD_INTEGERS = ("1.0", "1e3", '"7"', "null", "true", "{}", "9" * 400, "9" * 5000, "NaN")
_BAD_TEXTS = ("null", "7", "[]", "{}", "true")


def _line(rng: Random) -> Line:
    request = FileTimerRequest(
        rng.choice((1, 7, 4194304, 2**31 - 1, -5, rng.randrange(1, 2**22))),
        scope(rng),
        -1.0 if rng.random() < 0.4 else number(rng),
        rng.choice((9, 15, 0, -1)),
    )
    if rng.random() < 0.7:
        request.worker_id = WorkerId(request.worker_id, rng.randrange(2**40))
        if request.expiration_time >= 0:
            request.expiration_time = Instant(request.expiration_time, rng.uniform(-1e9, 1e9))
    return request.to_json().encode("ascii"), _everything(request)


def _everything(request: Any) -> Request:
    return (
        type(request),
        request.version,
        int(request.worker_id),
        getattr(request.worker_id, "start_time", 0),
        request.scope_id,
        float(request.expiration_time),
        getattr(request.expiration_time, "monotonic", None),
        request.signal,
    )


def _variant(rng: Random, line: bytes) -> bytes:
    items = list(json.loads(line).items())
    if rng.random() < 0.5:
        items.append((rng.choice(("", "hostname", "Version", "é")), rng.choice((None, [1], "x"))))
    if rng.random() < 0.5:
        rng.shuffle(items)
    text = json.dumps(
        dict(items), indent=None, separators=rng.choice(((",", ":"), (" , ", "\t: ")))
    )
    return rng.choice((b"", b" ", b"\t ")) + text.encode("ascii") + rng.choice((b"", b"\r", b"  "))


def _spoilt(rng: Random) -> bytes:
    line, _ = _line(rng)
    fields = {name: json.dumps(value) for name, value in json.loads(line).items()}
    name = rng.choice(("version", "pid", "scope_id", "expiration_time", "signal"))
    if name == "scope_id":
        fields.pop("scope_base64", None)
    how = rng.randrange(4)
    if how == 0:
        del fields[name]
    elif how == 1:
        bad = {"scope_id": _BAD_TEXTS, "expiration_time": _BAD_NUMBERS}.get(name, _BAD_INTEGERS)
        fields[name] = rng.choice(bad)
    elif how == 2:
        fields |= rng.choice(
            (
                {"version": "2"},
                {"pid": str(2**31)},
                {"signal": "1000"},
                {"start_time": "-1"},
                {"start_time": "1.5"},
                {"scope_base64": '"?"'},
                {"scope_base64": "7"},
                {"scope_base64": '"/w=="'},
                {"expiration_time": "5", "deadline": "NaN"},
            )
        )
    text = "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"
    if how == 3:
        text = rng.choice((text[: rng.randrange(1, len(text))], text + "}", f"[{text}]"))
    return text.encode("ascii")


FILE = Language(
    name="file",
    reader=FileRequestReader,
    line=_line,
    before=b"",  # PyTorch writes nothing there
    variant=_variant,
    spoilt=_spoilt,
    everything=_everything,
)

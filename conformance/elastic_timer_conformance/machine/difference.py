"""How a machine says that a backend and the model differ."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Difference", "ModelError"]


class Difference(AssertionError):
    """After a step, the backend is not as the model demands; the message says demanded and seen.

    `kind` says in what: `reaped` (who was), `table` (what is in it), `deadline` (what of it has
    expired by a time), `asking` (a second question gets another answer) or `raised`; with real
    processes also `early` and `late` (somebody was reaped, or not), `status` (somebody ended in
    another way), `stuck` (somebody does not end) or `server` (it has died). `worker` is the
    machine's number of whom it is about, if it is about one.
    """

    def __init__(self, kind: str, message: str, worker: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.worker = worker


class ModelError(AssertionError):
    """A backend does what the model does not.

    The message shows the shortest sequence of steps that was found, the file that it was written
    to and the command that takes these steps again. `requirements` are what it is held against:
    of the many requirements that the model stands for, those that this sequence is about.
    """

    def __init__(self, message: str, requirements: Sequence[str]) -> None:
        super().__init__(message)
        self.requirements = tuple(requirements)

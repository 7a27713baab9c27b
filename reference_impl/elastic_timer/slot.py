"""A slot of a worker's table: where a scope's timer is, and who holds it.

The holder is the innermost block of the scope, an acquire outside of any block, or nobody, and then
the slot is *parked*. Whoever changes the timer takes the holder out, and puts the new one in: one
thread can have it at a time, without a lock, and a signal handler that finds it missing can tell.
A deque does that in one step each, in half the time of a dictionary, and one that is full drops
what it held: so what is put in takes the place of whatever a signal handler has left.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .expires import expires

__all__ = ["Acquired", "Holders", "Lent", "Slot", "parked"]


class Acquired:
    """Holds the slot of a timer that was acquired outside of any block."""

    __slots__ = ("deadline",)

    deadline: float


Holders = deque["expires | Acquired | None"]
"""The holder of a slot, or nothing while somebody has taken it out."""


class Lent:
    """The holders of a slot as a signal handler has them that interrupts whoever is at the slot.

    The handler gives them back as they were found, with nothing in them. So the slot is never
    parked while the one who was interrupted is at it.
    """

    __slots__ = ("slot",)

    def __init__(self, slot: tuple[int, Holders]) -> None:
        self.slot = slot

    def pop(self) -> expires | Acquired | None:
        """Take the holder out."""
        return self.slot[1].pop()

    def append(self, holder: expires | Acquired | None) -> None:
        """Put a holder in, but not that there is none."""
        if holder is not None:
            self.slot[1].append(holder)


Slot = tuple[int, Holders | Lent]
"""The index of a slot's first word in the table, and its holder."""


def parked(word: int) -> tuple[int, Holders]:
    """Return a slot that nobody holds."""
    return word, deque([None], maxlen=1)

"""How a test names a requirement, and which statement of it the test was last looked at for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from elastic_timer_spec.specification import Requirement

__all__ = ["Mark", "MarkError"]

# Eight hexadecimal digits, 32 bits: a statement has few versions, and one that is changed would
# have to be written some billion times until a change went unnoticed.
DIGITS: Final = 8

_MARK: Final = re.compile(rf"([^@\s]+)(?:@([0-9a-f]{{{DIGITS}}}))?")


class MarkError(ValueError):
    """A mark is not written as one; the message says how it is."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What `@requirement("QUEUE-SIZE@0123abcd")` says: the requirement's id and a digest.

    The digest is the start of that of the statement that somebody has held the test against, or
    None where the mark has none. A statement that has been changed since has another one, so the
    test counts for nothing until it has been looked at again: `python -m elastic_timer_spec
    reviewed` does the bookkeeping. The idea is the Ferrocene Specification's, which keeps a
    checksum of each of its paragraphs.
    """

    requirement: str
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Mark:
        """Return the mark that is written so. Raises MarkError if none is."""
        match = _MARK.fullmatch(text)
        if match is None:
            raise MarkError(
                f"{text!r} is not an id such as 'QUEUE-SIZE', or an id with the {DIGITS} digits of "
                f"its statement's digest such as 'QUEUE-SIZE@0123abcd'"
            )
        return cls(*match.groups())

    @classmethod
    def of(cls, requirement: Requirement) -> Mark:
        """Return the mark of a test that verifies what a requirement demands now."""
        return cls(requirement.id, requirement.digest[:DIGITS])

    def is_outdated(self, requirement: Requirement) -> bool:
        """Whether the statement has been changed since the test was last looked at."""
        return self.digest is not None and self != Mark.of(requirement)

    def __str__(self) -> str:
        return self.requirement if self.digest is None else f"{self.requirement}@{self.digest}"

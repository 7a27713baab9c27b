"""The specification of countdown timers: what an implementation owes its users, as data.

`load()` gives every requirement, the formal interface's elements and the keyword indexes that
they came from. Needs nothing but the standard library.
"""

from elastic_timer_spec.keyword_index import KeywordIndex, KeywordIndexError
from elastic_timer_spec.specification import (
    Area,
    Level,
    Profile,
    Requirement,
    Specification,
    UnknownRequirementError,
    load,
)

__all__ = [
    "Area",
    "KeywordIndex",
    "KeywordIndexError",
    "Level",
    "Profile",
    "Requirement",
    "Specification",
    "UnknownRequirementError",
    "load",
]

"""The specification as data: what `specification.json` says, and how to load it.

Loading needs the standard library only, reads one file of the package, and imports nothing of
an implementation, so that a test can name a requirement at no cost.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

from elastic_timer_spec.keyword_index import Keyword, KeywordIndex, Link, PageFacts

__all__ = [
    "AREAS",
    "VERSION",
    "Area",
    "Level",
    "Profile",
    "Requirement",
    "Specification",
    "UnknownRequirementError",
    "load",
    "parse",
]

# The version of the text. A report names it, so it changes whenever what is demanded changes,
# whether or not the distribution is released with it.
VERSION: Final = "0.1.0"

# The areas in reading order: first what is sent, then who sends it, who judges it, and what
# holds throughout.
AREAS: Final = (
    "REQUEST",
    "QUEUE",
    "CLIENT",
    "EXPIRES",
    "SERVER",
    "WATCHDOG",
    "PROCESS",
    "CLOCK",
    "DURABLE",
    "SECURITY",
    "OBSERVE",
    "CLUSTER",
)


class Level(StrEnum):
    """How binding a requirement is, in the sense of RFC 2119."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class Profile(StrEnum):
    """The step of the ladder a requirement belongs to: each profile includes `core`."""

    CORE = "core"
    ROBUST = "robust"
    DURABLE = "durable"
    DISTRIBUTED = "distributed"


class UnknownRequirementError(KeyError):
    """No requirement has this id. `suggestions` are ids that are spelled alike."""

    def __init__(self, requirement_id: str, suggestions: Iterable[str] = ()) -> None:
        self.requirement_id = requirement_id
        self.suggestions = tuple(suggestions)
        super().__init__(requirement_id, self.suggestions)

    def __str__(self) -> str:
        hint = f" Did you mean {' or '.join(self.suggestions)}?" if self.suggestions else ""
        return f"there is no requirement {self.requirement_id!r}.{hint}"


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the specification: the first word of its ids, its title, its page's name."""

    id: str
    title: str
    page: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """One demand that an implementation meets or does not.

    `statement`, `rationale` and `verification` are MyST Markdown. `interface` names the elements
    of `elastic_timer_spec.interface` that are constrained, `keywords` the keywords that get their
    meaning here. `capability` is what a backend has to claim for the requirement to apply to it,
    or None when it applies to every backend of the profile. `page` is the name, without suffix,
    of the page that it stands on. `digest` is the start of the SHA-256 of the statement, so that
    a changed demand shows however small the change; see `elastic_timer_spec.generate`.
    """

    id: str
    area: str
    title: str
    level: Level
    profile: Profile
    capability: str | None
    statement: str
    rationale: str
    verification: str
    interface: tuple[str, ...]
    keywords: tuple[str, ...]
    page: str
    digest: str


@dataclass(frozen=True, slots=True)
class Specification:
    """All that is demanded, and the names that it is demanded of.

    `requirements` are by id, in reading order; `areas` are those that have requirements, in
    reading order; `interface` are the dotted names of the formal interface's elements; `indexes`
    are the keyword indexes, by path of the indexed file.
    """

    version: str
    areas: tuple[Area, ...]
    requirements: Mapping[str, Requirement]
    interface: tuple[str, ...]
    indexes: tuple[KeywordIndex, ...]

    def find(self, requirement_id: str) -> Requirement:
        """Return the requirement of this id.

        Raises UnknownRequirementError, with ids that are spelled alike, when there is none.
        """
        try:
            return self.requirements[requirement_id]
        except KeyError:
            alike = difflib.get_close_matches(requirement_id.upper(), self.requirements)
            raise UnknownRequirementError(requirement_id, alike) from None


@cache
def load() -> Specification:
    """Return the specification that this package holds; the same object every time."""
    source = resources.files("elastic_timer_spec").joinpath("specification.json")
    return parse(json.loads(source.read_text(encoding="utf-8")))


def parse(document: Mapping[str, Any]) -> Specification:
    """Return the specification that a decoded `specification.json` describes.

    The document is taken to be valid by `specification.schema.json`; KeyError, TypeError or
    ValueError is raised where it is not.
    """
    requirements = [_requirement(entry) for entry in document["requirements"]]
    return Specification(
        version=document["version"],
        areas=tuple(Area(**entry) for entry in document["areas"]),
        requirements=MappingProxyType({entry.id: entry for entry in requirements}),
        interface=tuple(document["interface"]),
        indexes=tuple(index_from_json(entry) for entry in document["indexes"]),
    )


def _requirement(entry: Mapping[str, Any]) -> Requirement:
    converted = {
        "level": Level(entry["level"]),
        "profile": Profile(entry["profile"]),
        "interface": tuple(entry["interface"]),
        "keywords": tuple(entry["keywords"]),
    }
    return Requirement(**{**entry, **converted})


def index_from_json(entry: Mapping[str, Any]) -> KeywordIndex:
    """Return the keyword index that its object in `specification.json` describes."""
    page = entry["page"]
    return KeywordIndex(
        original_file=Link(**entry["original_file"]),
        documentation=Link(**entry["documentation"]),
        folder=entry["folder"],
        classes=_keywords(entry["classes"]),
        functions=_keywords(entry["functions"]),
        imports=_keywords(entry["imports"]),
        sections=tuple(entry["sections"]),
        page=None if page is None else _page_facts(page),
        digest=entry["digest"],
    )


def _keywords(entries: Iterable[Mapping[str, Any]]) -> tuple[Keyword, ...]:
    return tuple(Keyword(entry["name"], Link(**entry["link"])) for entry in entries)


def _page_facts(entry: Mapping[str, Any]) -> PageFacts:
    return PageFacts(
        path=entry["path"],
        size=entry["size"],
        type=entry["type"],
        extension=entry["extension"],
        related=tuple(Link(**link) for link in entry["related"]),
        cross_references=tuple((label, target) for label, target in entry["cross_references"]),
    )

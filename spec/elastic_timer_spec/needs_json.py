"""Turn sphinx-needs' `needs.json` into requirements, and refuse what the pages got wrong."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar

from elastic_timer_spec.specification import AREAS, Area, Level, Profile, Requirement

__all__ = ["DIGEST_LENGTH", "PagesError", "digest", "read_needs"]

# Twelve hexadecimal digits, 48 bits: short enough to read aloud, and two of a thousand
# requirements share them with a probability of 2 in a billion.
DIGEST_LENGTH: Final = 12

_MARKER: Final = re.compile(r"^\*\*(Rationale|Verification)\.\*\*\s*", re.MULTILINE)

Choice = TypeVar("Choice", Level, Profile)


class PagesError(ValueError):
    """What is wrong with the normative pages: `problems`, one line each."""

    def __init__(self, problems: Collection[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def digest(statement: str) -> str:
    """Return the digest of a requirement's statement; line breaks and blanks do not matter."""
    normalised = " ".join(statement.split())
    return hashlib.sha256(normalised.encode()).hexdigest()[:DIGEST_LENGTH]


def read_needs(
    document: Mapping[str, Any], interface: Collection[str]
) -> tuple[tuple[Area, ...], tuple[Requirement, ...]]:
    """Return the areas and the requirements of a decoded `needs.json`, in reading order.

    `interface` are the elements that requirements may name. Raises PagesError with every problem
    found, each with the requirement's id and its page.
    """
    needs = document["versions"][document["current_version"]]["needs"].values()
    found = [need for need in needs if need.get("type") == "req"]
    problems: list[str] = []
    areas: dict[str, Area] = {}
    requirements: list[Requirement] = []
    for need in sorted(found, key=_reading_order):
        page = PurePosixPath(need["docname"]).name
        faults = _Faults(need["id"], f"{page}.md, line {need.get('lineno', '?')}", problems)
        requirement = _requirement(need, page, interface, faults)
        requirements.append(requirement)
        # Sphinx-needs names the sections from the innermost; the outermost is the page's title.
        title = (need.get("sections") or [page])[-1]
        areas.setdefault(requirement.area, Area(requirement.area, title, page))
    if problems:
        raise PagesError(problems)
    return tuple(areas.values()), tuple(requirements)


class _Faults:
    """Notes problems of one requirement, so that all of them are told at once."""

    def __init__(self, requirement_id: str, place: str, problems: list[str]) -> None:
        self._start = f"{requirement_id} ({place}): "
        self._problems = problems

    def add(self, cause: str) -> None:
        self._problems.append(self._start + cause)


def _reading_order(need: Mapping[str, Any]) -> tuple[int, int, str]:
    area = _area(need["id"])
    position = AREAS.index(area) if area in AREAS else len(AREAS)
    return position, need.get("lineno") or 0, need["id"]


def _area(requirement_id: str) -> str:
    return requirement_id.split("-", maxsplit=1)[0]


def _requirement(
    need: Mapping[str, Any], page: str, interface: Collection[str], faults: _Faults
) -> Requirement:
    area = _area(need["id"])
    if area not in AREAS:
        faults.add(f"there is no area {area!r}")
    elif page.upper() != area:
        faults.add(f"belongs on the page {area.lower()}.md")
    statement, rationale, verification = _parts(need.get("content", ""), faults)
    elements = tuple(need.get("interface") or ())
    for element in elements:
        if element not in interface:
            alike = difflib.get_close_matches(element, interface, n=1)
            hint = f"; did you mean {alike[0]}?" if alike else ""
            faults.add(f"the interface has no element {element!r}{hint}")
    if not elements:
        faults.add("names no element of the interface")
    keywords = tuple(need.get("keywords") or ())
    for label, names in (("interface", elements), ("keywords", keywords)):
        if len(set(names)) != len(names):
            faults.add(f"{label} names something twice")
    return Requirement(
        id=need["id"],
        area=area,
        title=need["title"],
        level=_member(Level, "level", need, faults),
        profile=_member(Profile, "profile", need, faults),
        capability=need.get("capability") or None,
        statement=statement,
        rationale=rationale,
        verification=verification,
        interface=elements,
        keywords=keywords,
        page=page,
        digest=digest(statement),
    )


def _member(choices: type[Choice], option: str, need: Mapping[str, Any], faults: _Faults) -> Choice:
    value = need.get(option)
    try:
        return choices(str(value))
    except ValueError:
        known = ", ".join(choices)
        said = "is missing" if value is None else f"is {value!r}"
        faults.add(f"{option} {said}; it is one of {known}")
        return next(iter(choices))


def _parts(content: str, faults: _Faults) -> tuple[str, str, str]:
    """Split a requirement's text into its statement, its rationale and its verification."""
    pieces = _MARKER.split(content)
    labels = pieces[1::2]
    texts = [piece.strip() for piece in pieces[0::2]]
    named = dict(zip(labels, texts[1:], strict=True))
    if labels not in (["Rationale", "Verification"], []) and len(labels) == len(set(labels)) == 2:
        faults.add("the verification stands before the rationale")
    if len(labels) != len(set(labels)):
        faults.add("a rationale or a verification is there twice")
    parts = texts[0], named.get("Rationale", ""), named.get("Verification", "")
    for label, part in zip(("statement", "rationale", "verification"), parts, strict=True):
        if not part:
            faults.add(f"has no {label}")
    return parts

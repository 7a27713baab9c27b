"""Requirements come out of needs.json complete, in order, or with every fault named."""

from __future__ import annotations

from typing import Any

import pytest
from elastic_timer_spec.needs_json import DIGEST_LENGTH, PagesError, digest, read_needs

INTERFACE = ("RequestQueue.get", "RequestQueue.size")
CONTENT = "It MUST.\n\nAlso this.\n\n**Rationale.** Why.\n\nMore.\n\n**Verification.** How."


def need(requirement_id: str = "QUEUE-SIZE", **changes: Any) -> dict[str, Any]:
    """What sphinx-needs writes of a sound requirement, with changes; None leaves a field out."""
    fields = {
        "id": requirement_id,
        "type": "req",
        "title": "Title",
        "level": "MUST",
        "profile": "core",
        "interface": ["RequestQueue.size"],
        "keywords": ["size"],
        "content": CONTENT,
        "docname": f"specification/{requirement_id.split('-')[0].lower()}",
        "lineno": 3,
        "sections": ["Inner", "The queue"],
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


def document(*needs: dict[str, Any]) -> dict[str, Any]:
    found = {entry["id"]: entry for entry in needs}
    return {"current_version": "1", "versions": {"1": {"needs": found}}}


def test_every_part_of_a_requirement_is_taken() -> None:
    areas, requirements = read_needs(document(need(capability="events")), INTERFACE)
    assert [(area.id, area.title, area.page) for area in areas] == [("QUEUE", "The queue", "queue")]
    (requirement,) = requirements
    assert requirement.statement == "It MUST.\n\nAlso this."
    assert requirement.rationale == "Why.\n\nMore."
    assert requirement.verification == "How."
    assert (requirement.level, requirement.profile) == ("MUST", "core")
    assert requirement.capability == "events"
    assert requirement.interface == ("RequestQueue.size",)
    assert requirement.keywords == ("size",)
    assert requirement.digest == digest("It MUST. Also this.")


def test_capability_and_keywords_may_be_left_out() -> None:
    _, (requirement,) = read_needs(document(need(keywords=None)), INTERFACE)
    assert (requirement.capability, requirement.keywords) == (None, ())


def test_requirements_come_in_reading_order() -> None:
    needs = (
        need("SERVER-A"),
        need("QUEUE-B", lineno=20),
        need("QUEUE-C", lineno=3),
        need("REQUEST-Z"),
    )
    areas, requirements = read_needs(document(*needs), INTERFACE)
    assert [entry.id for entry in requirements] == ["REQUEST-Z", "QUEUE-C", "QUEUE-B", "SERVER-A"]
    assert [area.id for area in areas] == ["REQUEST", "QUEUE", "SERVER"]


def test_needs_of_another_type_are_no_requirements() -> None:
    _, requirements = read_needs(document(need(type="note")), INTERFACE)
    assert requirements == ()


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"level": "OUGHT"}, "level is 'OUGHT'; it is one of MUST, SHOULD, MAY"),
        ({"level": None}, "level is missing"),
        ({"profile": "best"}, "profile is 'best'"),
        ({"interface": ["RequestQueue.siz"]}, "no element 'RequestQueue.siz'; did you mean Req"),
        ({"interface": []}, "names no element of the interface"),
        ({"keywords": ["a", "a"]}, "keywords names something twice"),
        ({"docname": "specification/server"}, "belongs on the page queue.md"),
        ({"content": CONTENT.replace("**Rationale.** Why.\n\nMore.", "")}, "has no rationale"),
        ({"content": CONTENT.replace("**Verification.** How.", "")}, "has no verification"),
        ({"content": "**Rationale.** Why.\n\n**Verification.** How."}, "has no statement"),
        ({"content": "It.\n\n**Rationale.**\n\n**Verification.** How."}, "has no rationale"),
        ({"content": "It.\n\n**Verification.** A\n\n**Rationale.** B"}, "stands before"),
        ({"content": CONTENT + "\n\n**Rationale.** Again."}, "there twice"),
    ],
)
def test_a_fault_is_named_with_id_and_page(changes: dict[str, Any], cause: str) -> None:
    with pytest.raises(PagesError) as caught:
        read_needs(document(need(**changes)), INTERFACE)
    (problem,) = caught.value.problems
    assert problem.startswith("QUEUE-SIZE (")
    assert ".md, line 3)" in problem
    assert cause in problem


def test_an_id_of_no_area_is_refused() -> None:
    with pytest.raises(PagesError, match="there is no area 'CHEESE'"):
        read_needs(document(need("CHEESE-ROLL")), INTERFACE)


def test_all_faults_are_told_at_once() -> None:
    broken = document(need(level="OUGHT", profile="best"), need("SERVER-A", content=""))
    with pytest.raises(PagesError) as caught:
        read_needs(broken, INTERFACE)
    assert len(caught.value.problems) == 5


def test_the_digest_tells_words_apart_and_not_blanks() -> None:
    assert digest("a  b\nc") == digest("a b c")
    assert digest("a b c") != digest("a b d")
    assert len(digest("")) == DIGEST_LENGTH

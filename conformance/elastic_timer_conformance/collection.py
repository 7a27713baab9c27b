"""Which of the collected tests are run, and what each of them verifies."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import pytest
from elastic_timer_spec import Profile, Requirement, UnknownRequirementError
from elastic_timer_spec.mark import Mark, MarkError
from elastic_timer_spec.suite_source import find_suite

from elastic_timer_conformance.layer import Layer
from elastic_timer_conformance.requirement import marks_of
from elastic_timer_conformance.run import Run

__all__ = ["OUTDATED", "REQUIREMENTS", "choose", "layer_of", "why_outdated"]

REQUIREMENTS = pytest.StashKey[tuple[str, ...]]()
"""Under this key, a test's stash holds the ids of what it verifies."""

OUTDATED = pytest.StashKey[tuple[Mark, ...]]()
"""Under this key, a test's stash holds those of its marks that are of an earlier statement."""

REVIEWED = ("python", "-m", "elastic_timer_spec", "reviewed")

# Tests without a digest that are named one by one.
SHOWN = 10


def choose(run: Run, items: list[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Return the tests that are to be run, and the others.

    Raises pytest.UsageError for a test that does not say, or not properly, what it verifies.
    """
    wanted: list[pytest.Item] = []
    unwanted: list[pytest.Item] = []
    for item in items:
        requirements = _requirements_of(item, run)
        is_wanted = any(map(run.wants, requirements)) and run.layer in (None, layer_of(item))
        (wanted if is_wanted else unwanted).append(item)
    run.collected = {item.nodeid: item.stash[REQUIREMENTS] for item in items}
    if run.whole_suite:
        _require_digests(items)
        tested = {name for item in items for name in item.stash[REQUIREMENTS]}
        run.untested += [
            requirement.id
            for requirement in run.specification.requirements.values()
            if requirement.profile is Profile.CORE and requirement.id not in tested
        ]
    return wanted, unwanted


def layer_of(item: pytest.Item) -> Layer:
    """Return the layer that a test belongs to."""
    return Layer.of(getattr(item, "fixturenames", ()))


def _requirements_of(item: pytest.Item, run: Run) -> Sequence[Requirement]:
    """Return what a test verifies, and keep it with the test."""
    try:
        marks = marks_of(item)
        requirements = [run.specification.find(mark.requirement) for mark in marks]
    except (MarkError, UnknownRequirementError) as error:
        raise pytest.UsageError(f"{item.nodeid}: {error}") from None
    if not marks:
        raise pytest.UsageError(
            f"{item.nodeid} names no requirement: mark it with @requirement('AREA-NAME')"
        )
    item.stash[REQUIREMENTS] = tuple(dict.fromkeys(mark.requirement for mark in marks))
    item.stash[OUTDATED] = tuple(
        mark
        for mark, requirement in zip(marks, requirements, strict=True)
        if mark.is_outdated(requirement)
    )
    return requirements


def _require_digests(items: Sequence[pytest.Item]) -> None:
    missing = {
        (mark.requirement, _place(item)): _command(mark, item)
        for item in items
        for mark in marks_of(item)
        if mark.digest is None
    }
    if missing:
        lines = [f"  {place}: {name}" for name, place in missing][:SHOWN]
        lines += ["  ..."] if len(missing) > SHOWN else []
        lines += ["To say it, once they verify what the statements demand:"]
        lines += [f"  {command}" for command in dict.fromkeys(missing.values())][:SHOWN]
        raise pytest.UsageError(
            "\n".join(["tests do not say for which statement they were last looked at:", *lines])
        )


def why_outdated(item: pytest.Item, run: Run) -> str:
    """Return why a test counts for nothing until somebody has looked at it, and what to do."""
    lines = []
    for mark in item.stash[OUTDATED]:
        now = Mark.of(run.specification.requirements[mark.requirement])
        lines += [
            f"{mark.requirement} was changed since this test was last held against it: the digest "
            f"of its statement was {mark.digest}, and is {now.digest}.",
            f"The words that were changed: {shlex.join(REVIEWED)}",
            f"Once the test verifies what is demanded now: {_command(mark, item)}",
        ]
    return "\n".join(lines)


def _command(mark: Mark, item: pytest.Item) -> str:
    words = [*REVIEWED, mark.requirement, _place(item)]
    if not item.path.is_relative_to(find_suite()):
        words += ["--suite", str(item.path.parent)]
    return shlex.join(words)


def _place(item: pytest.Item) -> str:
    """Return a test's file and function, whatever its parameters."""
    parents = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    return "::".join([item.path.name, *parents, getattr(item, "originalname", item.name)])

"""The command `explore`: goes through the runs of the model, and says what it has seen."""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from elastic_timer_spec.atomic_file import write_atomically
from elastic_timer_spec.exploration import Level
from elastic_timer_spec.explored import (
    RIGHT,
    Right,
    explore_right,
    explore_wrong,
    right_as_data,
    wrong_as_data,
)
from elastic_timer_spec.model.invariants import INVARIANTS
from elastic_timer_spec.model.wrong import WRONG, Wrong

__all__ = ["UnknownVariantError", "explore"]

VARIANTS = tuple(dict.fromkeys(right.variant for right in RIGHT))


class UnknownVariantError(ValueError):
    """There is no variant of the model with that name; the message has those that there are."""


def explore(options: argparse.Namespace) -> int:
    """Explore the model: take every run within some bounds, and look at every step.

    No step of a right model may break an invariant, and each wrong model has to break the one that
    it is there to break. A run that breaks one is shown. The exit status is 1 when it is not so.

    With --check, compare what is found with what a file says, up to the depth that was explored,
    and exit with 1 if it says something else.
    """
    right, wrong = _chosen(options.variant)
    # There is nothing to be collected: states refer to what was there before them. Without looking
    # for it, the command takes a sixth less time.
    gc.disable()
    found: dict[str, list[Any]] = {"right": [], "wrong": []}
    sound = True
    for each in right:
        data, holds = _explore_right(each, options.depth)
        found["right"].append(data)
        sound &= holds
    for mistake in wrong:
        data = _explore_wrong(mistake, options.depth, alone=options.variant is not None)
        found["wrong"].append(data)
        sound &= bool(data["run"]) or options.depth is not None
    if options.variant is None:
        broken = {data["breaks"] for data in found["wrong"] if data["run"]}
        print(f"\n{len(broken)} of {len(INVARIANTS)} invariants are broken by a wrong model")
    if options.check:
        sound &= _is_up_to_date(options.check, found)
    if options.output and sound:
        write_atomically(options.output, _rendered(found))
        print(f"wrote {options.output}")
    return 0 if sound else 1


def _chosen(variant: str | None) -> tuple[list[Right], list[Wrong]]:
    """Return the right and the wrong models of a name, or all."""
    if variant is None:
        return list(RIGHT), list(WRONG.values())
    if variant in WRONG:
        return [], [WRONG[variant]]
    if variant not in VARIANTS:
        raise UnknownVariantError(
            f"there is no variant {variant!r}. The right ones are {', '.join(VARIANTS)}; "
            f"the wrong ones are {', '.join(WRONG)}"
        )
    return [each for each in RIGHT if each.variant == variant], []


def _explore_right(right: Right, depth: int | None) -> tuple[dict[str, Any], bool]:
    """Explore a model and show how far it has come; return what was found, and whether it holds."""
    began = time.process_time()

    def show(level: Level) -> None:
        seconds = time.process_time() - began
        print(
            f"{level.depth:7}{level.states:12,}{level.transitions:14,}{seconds:10.1f}", flush=True
        )

    print(f"{right.variant}: {_described(right)}")
    print(f"{'depth':>7}{'states':>12}{'transitions':>14}{'CPU s':>10}", flush=True)
    found = explore_right(right, depth, show)
    if found.violation is not None:
        print(f"broken: {found.violation.invariant.name}")
        print("\n".join(_run(found.violation.message, map(str, found.violation.events))))
    else:
        rest = ", and there are no other states" if found.complete else ""
        print(f"no invariant is broken{rest}\n")
    return right_as_data(right, found), found.violation is None


def _described(right: Right) -> str:
    bounds = right.bounds
    facts = [_number(bounds.workers, "worker"), _number(bounds.scopes, "scope")]
    if not right.model.durable:
        facts.append(f"{bounds.unread} unread of each")
    if bounds.jumps:
        facts.append("a wall clock that jumps")
    facts.append(f"{right.depth} steps" if right.depth else "any number of steps")
    return ", ".join(facts)


def _explore_wrong(wrong: Wrong, depth: int | None, *, alone: bool) -> dict[str, Any]:
    data = wrong_as_data(wrong, explore_wrong(wrong, depth))
    steps = f"broken by {len(data['run'])} steps" if data["run"] else "not broken"
    print(f"{wrong.name:26} {wrong.breaks:30} {steps}", flush=True)
    if alone and data["run"]:
        print(f"\n{wrong.how}")
        print("\n".join(_run(data["message"], data["run"])))
    return data


def _run(message: str, events: Any) -> Iterator[str]:
    yield from (f"{number:4}. {event}" for number, event in enumerate(events, 1))
    yield f"      {message}"


def _rendered(found: dict[str, list[Any]]) -> str:
    """Return what was found as JSON, with a line for each model."""
    lines = [
        json.dumps(kind) + ": [\n" + ",\n".join(map(json.dumps, entries)) + "\n]"
        for kind, entries in found.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _is_up_to_date(file: Path, found: dict[str, list[Any]]) -> bool:
    """Return whether a file says what was found, as far as that goes; tell where it does not."""
    written = json.loads(file.read_text(encoding="utf-8"))
    stale = [
        f"{kind} model {number}"
        for kind, entries in found.items()
        for number, entry in enumerate(entries, 1)
        if not _agrees(entry, dict(enumerate(written[kind], 1)).get(number, {}))
    ]
    stale += [f"{kind} models" for kind in found if len(written[kind]) > len(found[kind])]
    if stale:
        print(f"{file} is stale: {', '.join(stale)}")
        print(f"To mend it: python -m elastic_timer_spec explore --output {file}")
    else:
        print(f"{file} is up to date")
    return not stale


def _agrees(found: dict[str, Any], written: dict[str, Any]) -> bool:
    """Return whether two say the same; what was explored less far says less."""
    if "levels" in found and len(found["levels"]) < len(written.get("levels", ())):
        written = {**written, "levels": written["levels"][: len(found["levels"])]}
        found = {**found, "complete": written["complete"]}
    if "run" in found and not found["run"]:
        found = {**found, "run": written.get("run"), "message": written.get("message")}
    return found == written


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"

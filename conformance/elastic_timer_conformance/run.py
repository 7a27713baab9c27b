"""One run of the suite: what was judged, where, and what came of it."""

from __future__ import annotations

import os
import platform
import shlex
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from elastic_timer_spec import Profile, Requirement, Specification

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import Backend, Capability, Deviation
from elastic_timer_conformance.latency import Latency
from elastic_timer_conformance.layer import Layer
from elastic_timer_conformance.verdict import Judgement, Outcome, TestResult, Verdict, judge

__all__ = ["Machine", "Run"]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run took place, as far as its results may depend on it."""

    system: str = field(default_factory=platform.system)
    release: str = field(default_factory=platform.release)
    architecture: str = field(default_factory=platform.machine)
    cpus: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    root: bool = field(default_factory=lambda: os.geteuid() == 0)
    python: str = field(
        default_factory=lambda: f"{platform.python_implementation()} {platform.python_version()}"
    )


@dataclass
class Run:
    """What is selected, and the results as they come in."""

    specification: Specification
    backend: Backend
    spec: str
    """What was given as `--backend`."""
    allowance: Allowance
    profiles: frozenset[Profile]
    selected: frozenset[str] = frozenset()
    """The only requirements to be tested; empty for all."""
    layer: Layer | None = None
    """The only layer of which tests are run; None for both."""
    whole_suite: bool = False
    """Whether the tests are meant to cover every core requirement."""
    machine: Machine = field(default_factory=Machine)
    started: float = field(default_factory=time.time)
    collected: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What each test that there is verifies, whether or not it is run."""
    narrowed: bool = False
    """Whether tests were named one by one, so that there are others that nobody has collected."""
    results: dict[str, TestResult] = field(default_factory=dict)
    untested: list[str] = field(default_factory=list)
    """Core requirements for which there is no test although there should be."""

    @cached_property
    def deviations(self) -> Mapping[str, Deviation]:
        """The backend's deviations by requirement."""
        return {deviation.requirement: deviation for deviation in self.backend.deviations}

    def claims(self, requirement: Requirement) -> bool:
        """Whether the backend claims what this requirement is about."""
        if requirement.capability is None:
            return True
        return requirement.capability in {str(claimed) for claimed in self.backend.capabilities}

    def wants(self, requirement: Requirement) -> bool:
        """Whether tests of this requirement are to be run."""
        return (
            self.claims(requirement)
            and requirement.profile in self.profiles
            and (not self.selected or requirement.id in self.selected)
        )

    def judgements(self) -> list[Judgement]:
        """Return the verdict on every requirement that the run is about, in reading order."""
        counts = Counter(name for names in self.collected.values() for name in names)
        return [
            judge(
                requirement,
                [entry for entry in self.results.values() if requirement.id in entry.requirements],
                claimed=self.claims(requirement),
                deviations=self.deviations,
                collected=None if self.narrowed else counts[requirement.id],
            )
            for requirement in self.specification.requirements.values()
            if requirement.profile in self.profiles
            and (not self.selected or requirement.id in self.selected)
        ]

    @property
    def latency(self) -> Latency:
        """How long after expiry workers were reaped, over all tests."""
        return Latency.of(reap for result in self.results.values() for reap in result.reaps)

    def problems(self) -> list[str]:
        """Return every reason for which this run is a failure, as sentences."""
        judgements = self.judgements()
        found = [
            f"{judgement.requirement.id} is stale as a deviation: every test of it passes. "
            f"Take it off the list of deviations of {self.backend.name!r}."
            for judgement in judgements
            if judgement.stale
        ]
        found += [
            f"{judgement.requirement.id} is violated"
            for judgement in judgements
            if judgement.verdict is Verdict.VIOLATES
        ]
        outdated = [
            result for result in self.results.values() if result.outcome is Outcome.OUTDATED
        ]
        if outdated:
            about = dict.fromkeys(name for result in outdated for name in result.requirements)
            found.append(
                f"{', '.join(about)}: what is demanded was changed, and {_tests(len(outdated))} "
                f"not looked at since; see python -m elastic_timer_spec reviewed"
            )
        if self.untested:
            found.append(f"core requirements without a test: {', '.join(self.untested)}")
        if not any(
            result.outcome is not Outcome.NOT_APPLICABLE for result in self.results.values()
        ):
            reasons = sorted(
                {f"{entry.verdict}: {entry.reason}" for entry in judgements if entry.reason}
            )
            found.append("no test was run" + "".join(f"; {reason}" for reason in reasons))
        return found

    def command(self, *, requirement: str | None = None, test: str | None = None) -> str:
        """Return the command that repeats this run, or its part about one requirement or test."""
        words = ["python", "-m", "elastic_timer_conformance", "--backend", self.spec]
        if self.allowance != Allowance():
            words += ["--allowance", f"{self.allowance.signal:g}"]
        if requirement is not None:
            words += ["--requirement", requirement]
        else:
            if self.profiles != frozenset(Profile):
                words += [word for name in sorted(self.profiles) for word in ("--profile", name)]
            words += [word for name in sorted(self.selected) for word in ("--requirement", name)]
            words += ["--layer", self.layer] if self.layer is not None else []
        if test is not None:
            words += ["-k", test]
        return shlex.join(words)


def claimed_names(capabilities: frozenset[Capability]) -> Sequence[str]:
    """Return the names of capabilities, sorted, for a report."""
    return sorted(str(capability) for capability in capabilities)


def _tests(number: int) -> str:
    return f"{number} test{'s' if number != 1 else ''}"

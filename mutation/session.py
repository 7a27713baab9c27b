"""A session: every mutant of one commit, and what has come of those that were tried.

It is cosmic-ray's database, so its own commands (``cosmic-ray dump``, ``cr-html``) can read it, and
a run that was interrupted goes on where it stopped. Beside the mutants it holds controls, which
change nothing: each of them has to survive, or else the suite's verdicts mean nothing.
"""

from __future__ import annotations

import difflib
import json
import shutil
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import cosmic_ray.commands
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult

from .annotations import annotation_spans, is_within
from .copies import take_snapshot
from .kills import Kills, digest_of
from .mutant import Change, Fate, Mutant, change_in
from .results import Module, Results, Survivor
from .targets import CONTROLS, TARGETS, path_of

__all__ = ["CONTROL", "Session", "Task", "fate_of", "is_python", "versions"]

CONTROL = "control"
"""What stands in the place of a module's name for a run that changes nothing."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be tried: a mutant, or a control."""

    module: str
    backends: Sequence[str]
    item: WorkItem

    @property
    def row(self) -> int:
        """The number of the line that is changed; 0 for a control."""
        return self.item.mutations[0].start_pos[0] if self.item.mutations else 0


class Session:
    """Every mutant of one commit, and the results so far.

    Args:
        folder: where everything about it is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.snapshot = folder / "snapshot"
        self._about = folder / "session.json"
        self._database: WorkDB | None = None

    @property
    def exists(self) -> bool:
        """Whether there is a session to go on with."""
        return self._about.exists()

    @property
    def commit(self) -> str:
        """The commit that the mutants are of."""
        return str(self._read()["commit"])

    def create(self, project: Path, commit: str, modules: Iterable[str], kills: Kills) -> None:
        """Begin anew, with the mutants of a commit.

        What is known to be killed is taken over. Whatever survived is tried again.
        """
        self.close()
        if self._folder.exists():
            shutil.rmtree(self._folder)
        self.snapshot.mkdir(parents=True)
        take_snapshot(project, commit, self.snapshot)
        paths = [self.snapshot / path_of(module) for module in modules]
        cosmic_ray.commands.init(paths, self._db, {})
        mutated = dict(_mutated(self._db.work_items))
        changes = dict(_changes(self._db.work_items, mutated))
        self._db.add_work_items(_controls())
        sources = {path.stem: path.read_text("utf-8") for path in paths}
        self._skip(sources, mutated)
        for item in self._db.pending_work_items:
            if item.mutations:
                change = Change(*changes[item.job_id])
                killer = kills.killer(change, digest_of(sources[change.module]))
                if killer is not None:
                    self.keep(item.job_id, _killed_by(killer))
        self._about.write_text(json.dumps({"commit": commit, "changes": changes}), "utf-8")

    def _skip(self, sources: Mapping[str, str], mutated: Mapping[str, str]) -> None:
        """Enter a result for what does not have to be tried."""
        spans = {module: annotation_spans(source) for module, source in sources.items()}
        skipped: dict[Fate, list[str]] = {Fate.ANNOTATION: [], Fate.INVALID: []}
        for item in self._db.work_items:
            if not item.mutations:
                continue
            if is_within(item.mutations[0].start_pos, spans[_module(item)]):
                skipped[Fate.ANNOTATION].append(item.job_id)
            elif not is_python(mutated[item.job_id]):
                skipped[Fate.INVALID].append(item.job_id)
        for fate, names in skipped.items():
            self._db.set_multiple_results(names, WorkResult(WorkerOutcome.SKIPPED, output=fate))

    def remember(self, kills: Kills) -> None:
        """Add what has been killed so far to what is known."""
        changes = self._read()["changes"]
        for task, test in self.killed():
            change = Change(*changes[task.item.job_id])
            source = (self.snapshot / path_of(change.module)).read_text("utf-8")
            kills.add(change, digest_of(source), test)

    def pending(self) -> list[Task]:
        """Return what has not been tried yet, in random order."""
        return [_task(item) for item in self._db.pending_work_items]

    def killed(self) -> list[tuple[Task, str]]:
        """Return the mutants that have been killed, and by what."""
        return [
            (_task(item), result.output or "")
            for item, result in self._db.completed_work_items
            if item.mutations and result.test_outcome is TestOutcome.KILLED
        ]

    def keep(self, job_id: str, result: WorkResult) -> None:
        """Keep what came of a mutant or control."""
        self._db.set_result(job_id, result)

    def mutants(self) -> list[Mutant]:
        """Return all mutants, in the order of the source."""
        changes = self._read()["changes"]
        results = dict(self._db.results)
        return [
            Mutant(
                Change(*changes[item.job_id]),
                item.mutations[0].operator_name.partition("/")[2],
                item.mutations[0].start_pos[0],
                *fate_of(results.get(item.job_id)),
            )
            for item in sorted(self._db.work_items, key=_place)
            if item.mutations
        ]

    def results(self, date: str, command: str) -> Results:
        """Return what has come of all that was tried so far."""
        by_module: dict[str, list[Mutant]] = {}
        for mutant in self.mutants():
            by_module.setdefault(mutant.change.module, []).append(mutant)
        run, passed = self.controls()
        modules = [_module_of(name, by_module[name]) for name in TARGETS if name in by_module]
        return Results(date, self.commit, command, versions(), run, passed, modules)

    def controls(self) -> tuple[int, int]:
        """Return how many controls have been run, and how many of them survived."""
        results = [r for name, r in self._db.results if name.startswith(CONTROL)]
        survived = [r for r in results if r.test_outcome is TestOutcome.SURVIVED]
        return len(results), len(survived)

    def close(self) -> None:
        """Let go of the database."""
        if self._database is not None:
            self._database.close()
            self._database = None

    @property
    def _db(self) -> WorkDB:
        if self._database is None:
            self._database = WorkDB(str(self._folder / "session.sqlite"), WorkDB.Mode.create)
        return self._database

    def _read(self) -> dict[str, Any]:
        about: dict[str, Any] = json.loads(self._about.read_text("utf-8"))
        return about


def _module_of(name: str, mutants: Sequence[Mutant]) -> Module:
    fates = Counter(mutant.fate for mutant in mutants)
    return Module(
        name,
        mutants=len(mutants) - fates[Fate.ANNOTATION] - fates[Fate.INVALID],
        annotations=fates[Fate.ANNOTATION],
        invalid=fates[Fate.INVALID],
        killed=fates[Fate.KILLED],
        survivors=[
            Survivor(mutant.change, mutant.operator)
            for mutant in mutants
            if mutant.fate is Fate.SURVIVED
        ],
    )


def versions() -> dict[str, str]:
    """Return the versions of what takes part."""
    return {name: metadata.version(name) for name in ("elastic-timer", "cosmic-ray", "pytest")}


def _killed_by(test: str) -> WorkResult:
    return WorkResult(WorkerOutcome.NORMAL, output=test, test_outcome=TestOutcome.KILLED)


def _controls() -> Iterator[WorkItem]:
    for backend, number in CONTROLS.items():
        for n in range(1, number + 1):
            yield WorkItem(f"{CONTROL}/{backend}/{n}", ())


def _task(item: WorkItem) -> Task:
    return Task(_module(item), _backends(item), item)


def _backends(item: WorkItem) -> Sequence[str]:
    return TARGETS[_module(item)] if item.mutations else [item.job_id.split("/")[1]]


def _module(item: WorkItem) -> str:
    return Path(item.mutations[0].module_path).stem if item.mutations else CONTROL


def _place(item: WorkItem) -> tuple[Any, ...]:
    if not item.mutations:
        return ()
    mutation = item.mutations[0]
    return _module(item), mutation.start_pos, mutation.operator_name, mutation.occurrence


def _mutated(items: Iterable[WorkItem]) -> Iterator[tuple[str, str]]:
    """Yield the whole source of each mutant, by the mutant's id."""
    for item in items:
        [mutation] = item.mutations
        source = Path(mutation.module_path).read_text("utf-8")
        operator = get_operator(mutation.operator_name)(**mutation.operator_args)
        yield item.job_id, mutate_code(source, operator, mutation.occurrence) or source


def _changes(
    items: Iterable[WorkItem], mutated: Mapping[str, str]
) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield, for each mutant, what a `Change` is made of, by the mutant's id."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for item in sorted(items, key=_place):
        before = Path(item.mutations[0].module_path).read_text("utf-8").splitlines()
        after = mutated[item.job_id].splitlines()
        diff = "\n".join(difflib.unified_diff(before, after, n=0))
        change = (_module(item), *change_in(diff))
        seen[change] += 1
        yield item.job_id, (*change, seen[change])


def is_python(source: str) -> bool:
    """Tell whether a mutant is worth trying."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def fate_of(result: WorkResult | None) -> tuple[Fate, str]:
    """Return what became of a mutant, and what has killed it, if so."""
    if result is None:
        return Fate.PENDING, ""
    if result.worker_outcome is WorkerOutcome.SKIPPED:
        return Fate(result.output or ""), ""
    if result.test_outcome is TestOutcome.SURVIVED:
        return Fate.SURVIVED, ""
    return Fate.KILLED, result.output or ""

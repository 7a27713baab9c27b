"""Workers: each has a copy of the project, mutates it, and lets the suite judge it."""

from __future__ import annotations

import importlib.util
import py_compile
import queue
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkResult

from .copies import make_copy
from .judge import NO_TEST, PARTS, judge
from .suite import EndedError, Suite, SuiteError
from .targets import PACKAGE
from .warm import Answer, Request, is_slow_to_fail

if TYPE_CHECKING:
    from .session import Session, Task

    Result = tuple[Task, WorkResult]

__all__ = ["Worker", "results"]

_LIKELY = 12
"""How many tests are tried before all others."""

_ATTEMPTS = 3
"""How often a suite is begun anew that somebody else has ended."""

_BROKEN = 'raise RuntimeError("this copy is broken on purpose")\n'


class Killers:
    """Which tests killed mutants so far, of each line and of each module; for all workers."""

    def __init__(self) -> None:
        self._tests: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)

    def add(self, task: Task, test: str) -> None:
        """Remember a kill, if it was a quick one."""
        if test != NO_TEST and not is_slow_to_fail(test):
            self._tests[task.module, task.row][test] += 1
            self._tests[task.module, 0][test] += 1

    def likely(self, task: Task) -> Sequence[str]:
        """Return the tests that are most likely to kill the next one."""
        places = ((task.module, task.row), (task.module, 0))
        tests = (name for place in places for name, _ in self._tests[place].most_common(_LIKELY))
        return list(dict.fromkeys(tests))[:_LIKELY]


class Worker:
    """A copy of the project, and the suite for each backend that is asked for.

    Args:
        copy: where to make it, in the place of what was there.
        snapshot: the project as it is without mutants.
        killers: where to look up and to remember what kills.

    Raises:
        SuiteError: the suite does not judge the copy as it should.
    """

    def __init__(self, copy: Path, snapshot: Path, killers: Killers) -> None:
        self._copy = copy
        self._snapshot = snapshot
        self._killers = killers
        self._suites: dict[str, Suite] = {}
        self._closing = ExitStack()
        make_copy(snapshot, copy)
        self._require_that_this_copy_is_judged()

    def try_out(self, part: str, task: Task) -> WorkResult:
        """Mutate the copy, let a part of the suite judge it, and put it right again."""
        with ExitStack() as stack:
            for mutation in task.item.mutations:
                stack.enter_context(self._mutated(mutation))
            killer = judge(part, task.backends, self._killers.likely(task), self._run)
        if killer:
            self._killers.add(task, killer)
        return WorkResult(
            worker_outcome=WorkerOutcome.NORMAL,
            output=killer,
            test_outcome=TestOutcome.KILLED if killer else TestOutcome.SURVIVED,
        )

    def close(self) -> None:
        """End the processes that wait."""
        self._closing.close()

    def _run(self, backend: str, request: Request) -> Answer:
        for _ in range(_ATTEMPTS):
            if backend not in self._suites:
                self._suites[backend] = self._closing.enter_context(Suite(self._copy, backend))
            try:
                return self._suites[backend].run(request)
            except EndedError as error:
                # No mutant can do that; some stranger has, who was short of memory perhaps.
                ended = error
                del self._suites[backend]
        raise ended

    @contextmanager
    def _mutated(self, mutation: MutationSpec) -> Iterator[None]:
        path = self._copy / mutation.module_path.relative_to(self._snapshot)
        operator = get_operator(mutation.operator_name)(**mutation.operator_args)
        # Not to be taken for what is compiled from the mutant.
        Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)
        with use_mutation(path, operator, mutation.occurrence):
            yield
        py_compile.compile(str(path), doraise=True)

    def _require_that_this_copy_is_judged(self) -> None:
        target = self._copy / PACKAGE / "__init__.py"
        source = target.read_text("utf-8")
        if self._run("local", Request("interface")).status != 0:
            raise SuiteError("the suite fails on the copy as it is; what does nox -s tests say?")
        target.write_text(source + _BROKEN, "utf-8")
        broken = self._run("local", Request("interface"))
        target.write_text(source, "utf-8")
        if broken.status == 0 or broken.failed:
            raise SuiteError(f"the suite did not notice that the copy {self._copy} was broken")


def results(session: Session, folder: Path, number: int, tasks: Sequence[Task]) -> Iterator[Result]:
    """Yield what comes of each task, as it comes.

    Args:
        session: whose snapshot is copied.
        folder: where the copies are made.
        number: of workers.
        tasks: what is to be tried.
    """
    waiting: queue.PriorityQueue[tuple[int, int]] = queue.PriorityQueue()
    done: queue.SimpleQueue[Result | BaseException] = queue.SimpleQueue()
    killers = Killers()
    for task, test in session.killed():
        killers.add(task, test)

    def work(copy: Path) -> None:
        try:
            with closing(Worker(copy, session.snapshot, killers)) as worker:
                while True:
                    part, index = waiting.get()
                    if part == len(PARTS):
                        return
                    task = tasks[index]
                    result = worker.try_out(PARTS[part], task)
                    if result.test_outcome is TestOutcome.SURVIVED and part + 1 < len(PARTS):
                        waiting.put((part + 1, index))
                    else:
                        done.put((task, result))
        except BaseException as error:
            done.put(error)

    for index in range(len(tasks)):
        waiting.put((0, index))
    workers = range(1, min(number, len(tasks)) + 1)
    for index in workers:
        # Daemons: a run of the suite that is under way does not keep anybody from leaving.
        copy = folder / f"copy-{index}"
        threading.Thread(target=work, args=(copy,), daemon=True).start()
    for _ in tasks:
        result = done.get()
        if isinstance(result, BaseException):
            raise result
        yield result
    for index in workers:
        waiting.put((len(PARTS), index))

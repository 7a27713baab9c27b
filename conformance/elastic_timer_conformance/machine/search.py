"""Letting Hypothesis look for a sequence of steps after which a backend and the model differ."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence

from hypothesis import HealthCheck, Phase, Verbosity, configuration, seed, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from elastic_timer_conformance.machine.difference import Difference
from elastic_timer_conformance.machine.minimise import Failure
from elastic_timer_conformance.machine.rules import Rules, Run
from elastic_timer_conformance.machine.trace import Step

__all__ = ["own_storage", "quiet", "search", "take"]


def search(
    make_rules: Callable[[bool], Rules],
    examples: int,
    steps: int,
    random_seed: int,
    *,
    costly: bool = False,
) -> Failure | None:
    """Return the first failure that Hypothesis comes upon, if it does.

    `make_rules` makes rules, given whether they are to do anything: when something has been found,
    Hypothesis tries it again, which is not needed here.

    The same seed gives the same sequences: nothing is remembered from one search to the next.
    What is found is not made smaller here: see `minimise`.

    Hypothesis begins with the plainest sequence, and makes many others by repeating parts of those
    that it has tried. It does so often, since it takes them to cost nothing. Where they are
    `costly`, every sequence is made by itself and the plainest is left out.
    """
    failures: list[Failure] = []
    left_out = is_over = False

    def make() -> Rules:
        nonlocal left_out, is_over
        needed = not failures and not left_out
        left_out = False
        rules = make_rules(needed)
        rules.failures = failures
        is_over = needed and rules.is_idle
        return rules

    with own_storage():
        if not costly:
            _run(make, examples, steps, random_seed)
        for number in range(examples if costly else 0):
            left_out = True
            _run(make, 2, steps, f"{random_seed}/{number}")
            if failures or is_over:
                break
    return failures[0] if failures else None


def _run(make: Callable[[], Rules], examples: int, steps: int, random_seed: object) -> None:
    """Let Hypothesis try so many sequences."""
    quietly = settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
        report_multiple_bugs=False,
    )
    # Flaky, to Hypothesis, is what does not fail again: see above.
    with contextlib.suppress(Difference, Flaky):
        # Its signature asks for a class, and its documentation for whatever makes an instance.
        run_state_machine_as_test(seed(random_seed)(make), settings=quietly)  # type: ignore[arg-type]


def take(make_run: Callable[[], Run], steps: Sequence[Step]) -> Failure | None:
    """Take steps from the beginning; return those that were taken if there is a difference."""
    run = make_run()
    try:
        for number, step in enumerate(steps, 1):
            try:
                run.do(step)
            except Difference as difference:
                return list(steps[:number]), difference
        return _ended(run, list(steps))
    finally:
        run.close()


def _ended(run: Run, steps: list[Step]) -> Failure | None:
    try:
        run.end()
    except Difference as difference:
        return steps, difference
    return None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep servers from logging thousands of workers that were reaped as the machine had it."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def own_storage() -> Iterator[None]:
    """Keep what Hypothesis writes beside its database out of the directory that one works in."""
    attribute = "__hypothesis_home_directory"
    before = vars(configuration).get(attribute)
    with tempfile.TemporaryDirectory(prefix="elastic-timer-hypothesis-") as directory:
        configuration.set_hypothesis_home_dir(directory)
        try:
            yield
        finally:
            configuration.set_hypothesis_home_dir(before)

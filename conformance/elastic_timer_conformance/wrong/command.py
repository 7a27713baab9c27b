"""The command `python -m elastic_timer_conformance wrong`: is every wrong backend caught?"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from elastic_timer_spec import Specification, UnknownRequirementError, load

from elastic_timer_conformance.options import positive
from elastic_timer_conformance.side_by_side import interrupt_by_sigterm, side_by_side
from elastic_timer_conformance.wrong.catalogue import (
    BACKENDS,
    CatalogueError,
    Entry,
    entries,
    uncovered,
)
from elastic_timer_conformance.wrong.order import longest_first
from elastic_timer_conformance.wrong.result import Result, write_json
from elastic_timer_conformance.wrong.trial import Trial, Trying
from elastic_timer_conformance.wrong.warm import warm_context

__all__ = ["main"]

# Seconds. The whole suite takes about one minute, and three where others keep the cores busy.
ENOUGH = 600.0

# How many are tried again alone: if more than these have problems, it is not that now and then a
# test comes too late on a machine on which a dozen runs of the suite compete.
AGAIN = 6

DESCRIPTION = """\
Let the suite judge deliberately wrong backends, and fail unless each is caught.

Each breaks one requirement. The suite has to find it violated, with the failure message that the
wrong backend declares, and nothing else. A MUST without a wrong backend is a failure too.

Several are tried out at once, and keep each other from the processors. So what a few of them were
not caught for then is looked at again, one alone at a time, and said to have been.
"""

EPILOGUE = """\
exit status:
  0  every wrong backend is caught, and nothing else is reported for it
  1  one is not, or a MUST has none
  2  the command was wrong, or it was interrupted
"""


def main(arguments: Sequence[str]) -> None:
    """Try out wrong backends, print what came of it, and exit with a status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    specification = load()
    try:
        catalogue = entries(specification, options.catalogue)
        chosen = _chosen(catalogue, options.name, specification)
    except (CatalogueError, UnknownRequirementError) as error:
        parser.error(str(error))
    if options.list:
        for entry in chosen:
            print(f"{entry.breach.requirement:32} {entry.name:36} {entry.breach.how}")
        return
    interrupt_by_sigterm()
    start = time.time()
    try:
        trials = _try_all(chosen, specification, options.jobs, whole=options.whole)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(2)
    result = Result(
        specification.version,
        shlex.join(["python", "-m", "elastic_timer_conformance", "wrong", *arguments]),
        options.whole,
        start,
        time.time() - start,
        trials,
        _missing(catalogue, options.name, specification),
    )
    if options.report_json:
        write_json(result, options.report_json)
    print()
    for line in result.lines():
        print(line)
    sys.exit(0 if result.passed else 1)


def _chosen(
    catalogue: Sequence[Entry], names: Sequence[str], specification: Specification
) -> list[Entry]:
    """Return the entries of these names or requirements, or all if there are no names.

    Raises:
        UnknownRequirementError: a name is neither that of a wrong backend nor of a requirement.
    """
    known = {entry.name for entry in catalogue}
    for name in names:
        if name not in known:
            specification.find(name)
    return [
        entry
        for entry in catalogue
        if not names or entry.name in names or entry.breach.requirement in names
    ]


def _missing(
    catalogue: Sequence[Entry], names: Sequence[str], specification: Specification
) -> list[str]:
    """Return the requirements that were asked for, or every MUST, that no entry is about."""
    if not names:
        return uncovered(specification, catalogue)
    covered = {entry.breach.requirement for entry in catalogue}
    return [name for name in names if name in specification.requirements and name not in covered]


def _try_all(
    chosen: Sequence[Entry], specification: Specification, at_once: int, *, whole: bool
) -> list[Trial]:
    """Try out several at once, and say what came of each as it comes."""
    trials: dict[str, Trial] = {}
    with tempfile.TemporaryDirectory(
        # What a run that was killed has left may still be at work in it.
        prefix="elastic-timer-wrong-",
        ignore_cleanup_errors=True,
    ) as directory:
        context = warm_context(Path(directory))
        start = partial(
            Trying,
            specification=specification,
            context=context,
            directory=Path(directory),
            whole=whole,
        )
        starts = {entry.name: partial(start, entry) for entry in longest_first(chosen)}
        with contextlib.closing(side_by_side(starts.values(), at_once, ENOUGH)) as ended:
            for number, trial in enumerate(ended, 1):
                trials[trial.entry.name] = trial
                _tell(trial, f"[{number}/{len(chosen)}]")
        again = [name for name, trial in trials.items() if trial.problems]
        if at_once > 1 and len(chosen) > 1 and len(again) <= AGAIN:
            alone = [starts[name] for name in again]
            with contextlib.closing(side_by_side(alone, 1, ENOUGH)) as ended:
                for trial in ended:
                    name = trial.entry.name
                    trials[name] = replace(trial, before=trials[name].problems)
                    _tell(trial, "alone")
    return [trials[entry.name] for entry in chosen]


def _tell(trial: Trial, number: str) -> None:
    entry = trial.entry
    mark = "✗" if trial.problems else "✓"
    print(
        f"{number:9} {mark} {entry.breach.requirement:32} {entry.name:36} "
        f"{trial.tests:4} tests {trial.seconds:6.1f} s",
        flush=True,
    )
    for problem in trial.problems:
        print("\n".join(f"            {line}" for line in problem.splitlines()), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m elastic_timer_conformance wrong",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "name", nargs="*", help="a requirement, or a wrong backend by its name (default: all)"
    )
    parser.add_argument("--list", action="store_true", help="only say what there is")
    parser.add_argument(
        "--whole",
        action="store_true",
        help="run the whole suite for each; otherwise the tests of what it breaks and all that "
        "need no worker processes",
    )
    parser.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        # Tests mostly wait, so one core has time for six.
        default=6 * len(os.sched_getaffinity(0)),
        help="how many to try out at once (default: %(default)s)",
    )
    parser.add_argument(
        "--catalogue",
        metavar="PACKAGE",
        default=BACKENDS,
        help="the package or module with the wrong backends (default: %(default)s)",
    )
    parser.add_argument(
        "--report-json", type=Path, metavar="PATH", help="write what came of each to this file"
    )
    return parser

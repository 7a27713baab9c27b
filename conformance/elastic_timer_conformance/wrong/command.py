"""The command `python -m elastic_timer_conformance wrong`: is every wrong backend caught?"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from elastic_timer_spec import Specification, UnknownRequirementError, load

from elastic_timer_conformance.wrong.catalogue import Entry, entries, uncovered
from elastic_timer_conformance.wrong.trial import Trial, try_out

__all__ = ["main"]

DESCRIPTION = """\
Let the suite judge deliberately wrong backends, and fail unless each is caught.

Each breaks one requirement. The suite has to find it violated, with the failure message that the
wrong backend declares, and nothing else. A MUST without a wrong backend is a failure too.
"""

EPILOGUE = """\
exit status:
  0  every wrong backend is caught, and nothing else is reported for it
  1  one is not, or a MUST has none
  2  interrupted
  4  the command was wrong
"""


def main(arguments: Sequence[str]) -> None:
    """Try out wrong backends, print what came of it, and exit with a status."""
    options = _parser().parse_args(arguments)
    specification = load()
    catalogue = entries(specification)
    try:
        chosen = _chosen(catalogue, options.name, specification)
    except UnknownRequirementError as error:
        _parser().error(str(error))
    if options.list:
        for entry in chosen:
            print(f"{entry.breach.requirement:32} {entry.name:36} {entry.breach.how}")
        return
    missing = [] if options.name else uncovered(specification, catalogue)
    try:
        trials = _try_all(chosen, specification, options.jobs, whole=options.whole)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(2)
    if options.report_json:
        document = _document(trials, missing, specification, whole=options.whole)
        text = json.dumps(document, indent=2, ensure_ascii=False)
        options.report_json.write_text(text + "\n", encoding="utf-8")
    caught = sum(not trial.problems for trial in trials)
    print(f"\n{caught} of {len(trials)} wrong backends caught, and for nothing else")
    if missing:
        print(f"FAILED: {len(missing)} MUST without a wrong backend: {', '.join(missing)}")
    sys.exit(0 if caught == len(trials) and trials and not missing else 1)


def _chosen(
    catalogue: Iterable[Entry], names: Sequence[str], specification: Specification
) -> list[Entry]:
    """Return the entries of these names or requirements, or all if there are no names.

    Raises:
        UnknownRequirementError: a name is neither that of a wrong backend nor of a requirement.
    """
    catalogue = list(catalogue)
    known = {entry.name for entry in catalogue}
    for name in names:
        if name not in known:
            specification.find(name)
    return [
        entry
        for entry in catalogue
        if not names or entry.name in names or entry.breach.requirement in names
    ]


def _try_all(
    chosen: Sequence[Entry], specification: Specification, jobs: int, *, whole: bool
) -> list[Trial]:
    """Try out several at once, and say what came of each as it comes."""
    trials: dict[str, Trial] = {}
    pool = ThreadPoolExecutor(jobs)
    try:
        futures = [pool.submit(try_out, entry, specification, whole=whole) for entry in chosen]
        for number, future in enumerate(as_completed(futures), 1):
            trial = future.result()
            trials[trial.entry.name] = trial
            _tell(trial, f"[{number}/{len(chosen)}]")
    finally:
        pool.shutdown(cancel_futures=True)
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


def _document(
    trials: Sequence[Trial], missing: Sequence[str], specification: Specification, *, whole: bool
) -> dict[str, Any]:
    return {
        "specification": specification.version,
        "date": datetime.now(UTC).date().isoformat(),
        "whole": whole,
        "missing": list(missing),
        "backends": [
            {
                "name": trial.entry.name,
                "requirement": trial.entry.breach.requirement,
                "how": trial.entry.breach.how,
                "seen": trial.entry.breach.seen,
                "implies": dict(trial.entry.breach.implies),
                "tests": trial.tests,
                "problems": list(trial.problems),
            }
            for trial in trials
        ],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m elastic_timer_conformance wrong",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        exit_on_error=True,
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
        type=_positive,
        metavar="N",
        # Tests mostly wait, so one core has time for two.
        default=2 * len(os.sched_getaffinity(0)),
        help="how many to try out at once (default: %(default)s)",
    )
    parser.add_argument(
        "--report-json", type=Path, metavar="PATH", help="write what came of each to this file"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"at least 1, not {number}")
    return number

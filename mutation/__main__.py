"""``python -m mutation``: put errors into the reference implementation, and count who notices."""

from __future__ import annotations

import argparse
import os
import random
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import kills, review, table
from .copies import CopyError, changed_files, find_commit
from .mutant import Fate
from .progress import Progress
from .results import Results, save
from .targets import TARGETS

if TYPE_CHECKING:
    from .session import Session, Task

__all__ = ["main"]

_ROOT = Path(__file__).parent.parent
_FOLDER = _ROOT / ".mutation"

_SHOWN = _ROOT / "docs" / "data" / "mutation.json"

EPILOGUE = f"""\
A run may be interrupted at any time; the next one goes on where it stopped. It is about the commit
that the session was begun with, until --again begins a new one with the last commit. What has
been killed is kept in {kills.KILLED.relative_to(_ROOT)}, and stays killed as long as its module
is the same.

A survivor that means something has to be killed by a new test; any other one is entered in
{review.REVIEWED.relative_to(_ROOT)}, with the reason.

exit status:
  0    all that was asked for has been tried, and every survivor is accounted for
  1    a survivor is not, or an entry is stale, or a run that changes nothing has failed
  2    nothing could be tried
  130  the run was interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says, and return the exit status."""
    options = _parser().parse_args(arguments)
    from .session import Session
    from .suite import SuiteError

    session = Session(_FOLDER)
    try:
        entries = review.read()
        commit = find_commit(_ROOT, options.again or "HEAD")
        if options.again or not session.exists:
            _begin(session, commit)
        elif session.commit != commit:
            _tell(f"going on with commit {session.commit[:12]}; --again takes the last commit")
        try:
            _try_out(session, _chosen(session, options), options.jobs)
        finally:
            known = kills.read()
            session.remember(known)
            known.write()
        results = session.results(time.strftime("%Y-%m-%d", time.gmtime()), _command(arguments))
        if options.output:
            save(results, options.output)
        return _conclude(results, entries)
    except (CopyError, SuiteError, review.ReviewError) as error:
        _tell(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _tell("\ninterrupted; everything so far is kept, and the next run goes on from here")
        session.close()
        sys.stderr.flush()
        # The workers' threads wait for runs of the suite, which end with this process.
        os._exit(130)
    finally:
        session.close()


def _begin(session: Session, commit: str) -> None:
    changed = changed_files(_ROOT)
    if changed:
        _tell(f"note: {len(changed)} changed files are taken as they were committed: {changed[0]}…")
    _tell("looking for all mutants, which takes a minute")
    session.create(_ROOT, commit, TARGETS, kills.read())


def _chosen(session: Session, options: argparse.Namespace) -> list[Task]:
    """Return what is to be tried, controls among it."""
    modules = set(options.module or TARGETS)
    pending = session.pending()
    tasks = [task for task in pending if task.module in modules]
    mutants = sum(task.module in TARGETS for task in pending)
    controls = [task for task in pending if task.module not in TARGETS]
    if options.sample is not None:
        tasks = random.sample(tasks, min(options.sample, len(tasks)))
    # As large a part of the controls as of the mutants, rounded up.
    share = -(-len(controls) * len(tasks) // mutants) if tasks else 0
    tasks += controls[:share]
    random.shuffle(tasks)
    return tasks


def _try_out(session: Session, tasks: Sequence[Task], jobs: int) -> None:
    from .session import fate_of
    from .workers import results

    progress = Progress(len(tasks))
    for task, result in results(session, _FOLDER, jobs, tasks):
        session.keep(task.item.job_id, result)
        fate, killer = fate_of(result)
        if task.module not in TARGETS and fate is not Fate.SURVIVED:
            progress.note(f"{task.item.job_id} failed: {killer}")
        progress.end(fate)


def _conclude(results: Results, entries: review.Review) -> int:
    for line in table.as_text(results, entries):
        print(line)
    problems = [f"no entry: {change}" for change in entries.missing(results.modules)]
    problems += [f"stale entry: {change}" for change in entries.stale(results.modules)]
    if results.controls_passed < results.controls:
        problems.append("a run that changes nothing has failed, so what else failed means nothing")
    for problem in problems:
        _tell(problem)
    return 1 if problems else 0


def _command(arguments: Sequence[str] | None) -> str:
    words = sys.argv[1:] if arguments is None else arguments
    return shlex.join(["python", "-m", "mutation", *words])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mutation",
        description="Mutate the reference implementation, and let the conformance suite notice.",
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--module",
        action="append",
        choices=list(TARGETS),
        metavar="NAME",
        help=f"mutate this module only; may be repeated: {', '.join(TARGETS)}",
    )
    parser.add_argument(
        "--jobs",
        type=_positive,
        default=3 * (os.cpu_count() or 1),
        metavar="N",
        help="runs of the suite at a time (default: %(default)s, three a processor: a run waits "
        "most of its time)",
    )
    parser.add_argument(
        "--sample", type=_positive, metavar="N", help="try N mutants, chosen by chance"
    )
    parser.add_argument(
        "--again",
        nargs="?",
        const="HEAD",
        metavar="COMMIT",
        help="begin anew, with this commit or the last one",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help=f"write what has come of it, for the site: {_SHOWN.relative_to(_ROOT)}",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

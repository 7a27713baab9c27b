"""The command `python -m elastic_timer_conformance soak`: does every run come out the same?"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from elastic_timer_conformance.options import positive
from elastic_timer_conformance.run import Machine
from elastic_timer_conformance.side_by_side import interrupt_by_sigterm
from elastic_timer_conformance.soak.load import Load
from elastic_timer_conformance.soak.runs import Finished, repeat
from elastic_timer_conformance.soak.summary import FORMAT
from elastic_timer_conformance.soak.tally import Count, Tally

__all__ = ["main"]

DESCRIPTION = """\
Run the suite many times while every core is kept busy, and tell what failed in how many runs.

Every option that is not listed here is the suite's, or pytest's, for each run:
--layer=process, --requirement=ID, -k EXPRESSION. A `--` may stand before them.
"""

EPILOGUE = """\
exit status:
  0  every run ended well
  1  one did not, or there was none
  2  the command was wrong; or it was interrupted, and what had come of the runs until then has
     been told and written all the same
"""


@dataclass
class Soak:
    """A soak as it goes on: what was asked for, and what has come of it.

    `arguments` are for each run, besides the backend.
    """

    options: argparse.Namespace
    arguments: Sequence[str]
    tally: Tally = field(default_factory=Tally)
    started: float = field(default_factory=time.time)
    seconds: list[float] = field(default_factory=list)
    """How long each run took."""
    load: list[float] = field(default_factory=list)
    """The machine's load average when each run ended."""
    last_report: Mapping[str, Any] | None = None

    def add(self, run: Finished) -> None:
        """Count a run, tell of it, and keep what it printed if it failed."""
        self.tally.add(run.number, run.status, run.report)
        self.seconds.append(run.seconds)
        self.load.append(os.getloadavg()[0])
        self.last_report = run.report or self.last_report
        if run.status != 0:
            self._keep(run)
        if self.options.output is not None:
            text = json.dumps(self.document(), indent=2, ensure_ascii=False)
            self.options.output.write_text(text + "\n", encoding="utf-8")
        self._tell(run)

    def command(self) -> str:
        """Return the command that repeats it."""
        words = ["python", "-m", "elastic_timer_conformance", "soak"]
        words += [f"--times={self.options.times}", f"--jobs={self.options.jobs}"]
        words += [] if self.options.busy else ["--no-busy"]
        words += [f"--backend={self.options.backend}"]
        return shlex.join([*words, *self.arguments])

    def document(self) -> dict[str, Any]:
        """Return what has come of it until now."""
        report = self.last_report or {}
        return {
            "format": FORMAT,
            "specification": report.get("specification"),
            "backend": report.get("backend"),
            "machine": asdict(Machine()),
            "command": self.command(),
            "started": datetime.fromtimestamp(self.started, UTC).isoformat(timespec="seconds"),
            "duration": round(time.time() - self.started, 1),
            "arguments": list(self.arguments),
            "busy": self.options.busy,
            "jobs": self.options.jobs,
            "asked": self.options.times,
            "runs": self.tally.runs,
            "failed": self.tally.failed,
            "broken": list(self.tally.broken),
            "seconds": [round(seconds, 1) for seconds in self.seconds],
            "load": [round(load, 1) for load in self.load],
            "requirements": [_counted(*item) for item in self.tally.requirements.items()],
            "tests": [
                {**_counted(name, count), "layer": str(self.tally.layers[name])}
                for name, count in self.tally.tests.items()
            ],
        }

    def _keep(self, run: Finished) -> None:
        self.options.failures.mkdir(parents=True, exist_ok=True)
        for path in (run.output, run.output.with_suffix(".json")):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(path, self.options.failures)

    def _tell(self, run: Finished) -> None:
        done = len(self.seconds)
        left = (time.time() - self.started) / done * (self.options.times - done)
        ended = "passed" if run.status == 0 else f"FAILED (status {run.status})"
        print(
            f"[{done}/{self.options.times}] run {run.number} {ended} in {run.seconds:.0f} s, "
            f"load {self.load[-1]:.1f}; {len(self.tally.failed)} failed; "
            f"about {left / 60:.0f} min left",
            flush=True,
        )


def main(arguments: Sequence[str]) -> None:
    """Soak, tell what came of it, and exit with a status."""
    options, rest = _parser().parse_known_args(arguments)
    # `--` separates what is for each run; the suite's own command needs none.
    soak = Soak(options, [text for text in rest if text != "--"])
    each = [f"--backend={options.backend}", *soak.arguments]
    interrupted = False
    interrupt_by_sigterm()
    print(f"{options.times} runs, {options.jobs} at once; each takes a minute or more", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="elastic-timer-soak-") as directory,
        Load() if options.busy else contextlib.nullcontext(),
        contextlib.closing(repeat(each, options.times, options.jobs, Path(directory))) as runs,
    ):
        try:
            for run in runs:
                soak.add(run)
        except KeyboardInterrupt:
            interrupted = True
    print()
    for line in soak.tally.lines():
        print(line)
    done = f"{soak.tally.runs} of {options.times} runs"
    print(f"{done} in {(time.time() - soak.started) / 60:.0f} min, {len(soak.tally.failed)} failed")
    if soak.tally.failed:
        print(f"what the failed runs printed is in {options.failures}")
    if interrupted:
        print("interrupted")
        sys.exit(2)
    sys.exit(0 if soak.tally.is_clean else 1)


def _counted(name: str, count: Count) -> dict[str, Any]:
    return {"id": name, "runs": count.runs, "failed": count.failed_in}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m elastic_timer_conformance soak",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--backend", metavar="NAME", required=True, help="what to judge")
    parser.add_argument(
        "--times", type=positive, metavar="N", default=10, help="runs (default: %(default)s)"
    )
    parser.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        default=1,
        help="runs at once, which are a load of their own (default: %(default)s)",
    )
    parser.add_argument(
        "--busy",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep every core busy meanwhile (default: yes)",
    )
    parser.add_argument(
        "--failures",
        type=Path,
        metavar="DIR",
        default=Path("soak-failures"),
        help="where what failed runs print is kept (default: %(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="PATH", help="write a summary as JSON to this file"
    )
    return parser

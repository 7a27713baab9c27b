"""``python -m benchmarks``: measure, and show what was measured."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from .harness.machine import go_before_everything_else
from .harness.results import Results, load, save
from .harness.run import PYTORCH, run
from .measurements import MEASUREMENTS
from .report.tables import results_page

_ROOT = Path(__file__).parent.parent
_DOCS = _ROOT / "docs" / "data" / "benchmark.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure or render, as the command line says; return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    if options.render:
        _render(load(options.render), options.render)
        return 0
    measurements = [MEASUREMENTS[name] for name in options.only or MEASUREMENTS]
    if not PYTORCH:
        print("PyTorch is not installed: its timers take no part", file=sys.stderr)
    if options.real_time:
        try:
            go_before_everything_else()
        except PermissionError as error:
            print(f"--real-time: {error}; it takes CAP_SYS_NICE, as root has it", file=sys.stderr)
            return 2
    results = run(
        measurements,
        quick=options.quick,
        command=shlex.join(["python", "-m", "benchmarks", *given]),
        only_contenders=options.contender or (),
    )
    if not results.measurements:
        print("none of these contenders takes part in these measurements", file=sys.stderr)
        return 2
    path = options.output or _default_path(results)
    save(results, path)
    print(results_page(results))
    print(f"results: {path}", file=sys.stderr)
    if path.resolve() == _DOCS:
        _render(results, path)
    failed = any(
        entrant.errors
        for measurement in results.measurements.values()
        for entrant in measurement.entrants.values()
    )
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what the timers cost, beside PyTorch's and what else one would use.",
        epilog="PyTorch has to be installed for its timers to take part: nox -s bench sees to it.",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a few minutes in the place of about twenty: only shows that everything works",
    )
    parser.add_argument(
        "--real-time",
        action="store_true",
        help="run before everything else, for a machine that is not idle (needs root)",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=list(MEASUREMENTS),
        metavar="NAME",
        help=f"measure only this; may be given several times: {', '.join(MEASUREMENTS)}",
    )
    parser.add_argument(
        "--contender",
        action="append",
        choices=_entrants(),
        metavar="NAME",
        help=f"measure only this one; may be given several times: {', '.join(_entrants())}",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help=(
            "where the results go as JSON; by default a new file in benchmarks/results. "
            "docs/data/benchmark.json is what the site shows, and is rendered at once"
        ),
    )
    parser.add_argument(
        "--render",
        type=Path,
        metavar="FILE",
        help="measure nothing; write the tables and plots of these results beside them",
    )
    return parser


def _entrants() -> list[str]:
    """Return the name of everybody who takes part in anything, each once."""
    everybody = (each.name for one in MEASUREMENTS.values() for each in one.full.entrants)
    return list(dict.fromkeys(everybody))


def _default_path(results: Results) -> Path:
    name = results.date.replace(":", "") + ("-quick" if results.quick else "")
    return _ROOT / "benchmarks" / "results" / f"{name}.json"


def _render(results: Results, path: Path) -> None:
    from .report.plots import draw_all  # matplotlib is needed for nothing else

    table = path.with_suffix(".inc")
    plots = draw_all(results, path.parent)
    table.write_text(results_page(results, plots={plot.name for plot in plots}), "utf-8")
    for written in (table, *plots):
        print(f"wrote {written}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

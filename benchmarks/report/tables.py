"""The results as Markdown: a table for each question, and one of the targets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from ..harness.measurement import Measurement, Quantity
from ..harness.progress import duration
from ..harness.results import EntrantResult, MeasurementResult, Results
from ..harness.summary import Summary, ratio
from ..measurements import MEASUREMENTS
from .figures import figure, times
from .targets import verdicts

_IDLE = 1.0
"""Load average up to which a machine counts as idle: the benchmark itself makes that much."""

__all__ = ["measurement_section", "origin_table", "results_page", "target_table"]


def results_page(results: Results, plots: Collection[str] = ()) -> str:
    """Return everything: where the figures come from, the targets, and every table.

    Args:
        results: of one run.
        plots: names of the files with plots, to be shown as a MyST page does, each above its table.
    """
    parts = [origin_table(results), "## Targets", target_table(results)]
    for name, result in results.measurements.items():
        parts.append(f"## {MEASUREMENTS[name].title}")
        plot = f"benchmark-{name}.svg"
        if plot in plots:
            parts.append(f"```{{raw}} html\n:file: data/{plot}\n```")
        parts.append(measurement_section(result))
    return "\n\n".join(parts) + "\n"


def origin_table(results: Results) -> str:
    """Return where, when and with what the figures were measured."""
    machine = results.machine
    rows = [
        ("Machine", f"{machine['processor']}, {machine['cores']} cores"),
        ("Memory", figure(float(machine["memory"]), "bytes")),
        ("System", f"{machine['system']}, {machine['python']}"),
        ("Scheduling", str(machine.get("scheduling", "normal"))),
        ("Versions", ", ".join(f"{name} {version}" for name, version in results.versions.items())),
        ("Date", f"{results.date}, {duration(results.seconds)} minutes"),
        ("Load average", f"{results.load[0]:.1f} before, {results.load[1]:.1f} after"),
        ("Command", f"`{results.command}`"),
    ]
    text = _table(("", ""), rows)
    before, after = results.load
    if max(before, after - _IDLE) > _IDLE:
        text += (
            "\n\n**The machine was not idle.** What runs before all others loses to other programs"
            " a share of the caches, and of the core where two processors are one; what does not,"
            " also its turns. Times are longer than on an idle machine, and differ more."
        )
    if results.quick:
        text += (
            "\n\n**These are the figures of a quick run:** they show that everything works, and"
            " little more."
        )
    return text


def target_table(results: Results) -> str:
    """Return each target with what was measured, met or not."""
    words = {True: "met", False: "**not met**", None: "not measured"}
    rows = [(each.target, each.measured, words[each.met]) for each in verdicts(results)]
    return _table(("Target", "Measured", ""), rows)


def measurement_section(result: MeasurementResult) -> str:
    """Return the method, the figures of everybody, and what went wrong."""
    measurement = MEASUREMENTS[result.name]
    quantities = [
        quantity
        for quantity in measurement.quantities
        if any(entrant.summary(quantity.id) for entrant in result.entrants.values())
    ]
    rows = [
        (entrant.label, *_cells(entrant, _reference(result, entrant), quantities))
        for entrant in result.entrants.values()
    ]
    parts = [
        measurement.method,
        _table(("", *(quantity.title for quantity in quantities)), rows),
        _legend(measurement, quantities),
    ]
    parts += _failures(result)
    return "\n\n".join(parts)


def _reference(result: MeasurementResult, entrant: EntrantResult) -> EntrantResult | None:
    """Return whom an entrant is compared with: its counterpart in PyTorch, if it has one."""
    name = MEASUREMENTS[result.name].reference
    if entrant.name == "file":
        name = "torch-file"
    return result.entrants.get(name)


def _cells(
    entrant: EntrantResult, reference: EntrantResult | None, quantities: Iterable[Quantity]
) -> Iterator[str]:
    for quantity in quantities:
        summary = entrant.summary(quantity.id)
        if summary is None:
            yield "-"
            continue
        value = float(getattr(summary, quantity.statistic))
        cell = f"**{figure(value, quantity.unit)}**{_spread(summary, quantity)}"
        other = reference.summary(quantity.id) if reference else None
        if quantity.compared and other is not None and reference is not entrant:
            known = float(getattr(other, quantity.statistic))
            # How many times better: above one, whoever is named in the row wins.
            better = ratio(value, known) if quantity.higher_is_better else ratio(known, value)
            cell += f", {times(better)}"
        yield cell


def _spread(summary: Summary, quantity: Quantity) -> str:
    if quantity.unit == "count" or summary.count < 2:
        return ""
    if quantity.id == "delay" and quantity.statistic == "median":
        worst, p99 = figure(summary.maximum, "s"), figure(summary.p99, "s")
        return f" (p99 {p99}, worst {worst}, of {summary.count:,})"
    return f" ({figure(summary.low, quantity.unit)} to {figure(summary.high, quantity.unit)})"


def _legend(measurement: Measurement, quantities: Sequence[Quantity]) -> str:
    text = "Bold: the median"
    if any(quantity.statistic == "total" for quantity in quantities):
        text += " (of counts, the total; of the latest reaping, the maximum)"
    text += "; in parentheses, the quartiles"
    if measurement.name == "delay":
        text = "Bold: the median; in parentheses, the 99th percentile and the worst"
    if any(quantity.compared for quantity in quantities):
        text += f"; then, how many times better than {_label(measurement, measurement.reference)}"
        if any(entrant.name == "file" for entrant in measurement.full.entrants):
            text += f" (file: than {_label(measurement, 'torch-file')})"
    return text + "."


def _label(measurement: Measurement, name: str) -> str:
    return next(entrant.label for entrant in measurement.full.entrants if entrant.name == name)


def _failures(result: MeasurementResult) -> Iterator[str]:
    for entrant in result.entrants.values():
        if entrant.errors:
            last = entrant.errors[-1].strip().splitlines()[-1]
            yield f"{entrant.label}: {len(entrant.errors)} turns failed; the last: `{last}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in lines
    )

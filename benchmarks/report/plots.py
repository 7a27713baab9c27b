"""The results as plots: SVG that takes the colours of the page, light or dark.

matplotlib draws; each colour it is given stands for a role, and becomes a CSS variable in what is
written. Inside a page of the site the variables follow the theme that the reader has chosen; in a
file of its own, what the reader's system prefers.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..contenders import Side
from ..harness.measurement import Quantity
from ..harness.results import EntrantResult, MeasurementResult, Results
from ..measurements import MEASUREMENTS
from .figures import figure

__all__ = ["draw", "draw_all"]

_INK = "#010203"
_FAINT = "#010204"
_ROLES = {
    _INK: ("ink", "#1f2328", "#e6e9ec"),
    _FAINT: ("faint", "#c9ced3", "#3a4149"),
    "#010205": ("ours", "#0b6478", "#6cc7d9"),
    "#010206": ("pytorch", "#c2410c", "#fb923c"),
    "#010207": ("other", "#6d5bb5", "#b9a8ff"),
    "#010208": ("floor", "#6b7280", "#9aa3ad"),
}
"""What each colour given to matplotlib stands for, and how that looks in light and in dark."""

_COLOUR = {Side(role): colour for colour, (role, _, _) in _ROLES.items() if role in list(Side)}

_DOT_PLOTS: Mapping[str, Sequence[str]] = {
    "block": ("explicit", "default", "processor"),
    "drain": ("rate", "cpu"),
    "delay": ("delay",),
    "import": ("seconds",),
    "memory": ("server",),
}


def draw_all(results: Results, directory: Path) -> list[Path]:
    """Draw every measurement that has a plot; return the files, named after it."""
    written = []
    for name, result in results.measurements.items():
        svg = draw(result)
        if svg is not None:
            path = directory / f"benchmark-{name}.svg"
            path.write_text(svg, "utf-8")
            written.append(path)
    return written


def draw(result: MeasurementResult) -> str | None:
    """Return a measurement as an SVG element, or ``None`` if there is no plot of it."""
    if result.name not in _DOT_PLOTS and result.name != "idle":
        return None
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    style: dict[str, Any] = {
        "svg.fonttype": "none",  # letters stay letters: they can be read out and searched
        "svg.hashsalt": result.name,  # the same results give the same file
        "font.family": "sans-serif",
        "font.size": 10,
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
        "axes.edgecolor": _FAINT,
        "grid.color": _FAINT,
    }
    with pyplot.rc_context(style):
        drawing = _lines(pyplot, result) if result.name == "idle" else _dots(pyplot, result)
        text = io.StringIO()
        drawing.savefig(text, format="svg", transparent=True, metadata={"Date": None})
        pyplot.close(drawing)
    return _themed(text.getvalue(), MEASUREMENTS[result.name].title)


def _dots(pyplot: Any, result: MeasurementResult) -> Any:
    """Draw a row for each entrant and a panel for each quantity, on logarithmic scales."""
    known = {quantity.id: quantity for quantity in MEASUREMENTS[result.name].quantities}
    panels = [known[name] for name in _DOT_PLOTS[result.name]]
    entrants = list(result.entrants.values())
    drawing, axes = pyplot.subplots(
        1,
        len(panels),
        sharey=True,
        squeeze=False,
        figsize=(9, 1.1 + 0.32 * len(entrants)),
        layout="constrained",
    )
    for axis, quantity in zip(axes[0], panels, strict=True):
        better = "more is better" if quantity.higher_is_better else "less is better"
        axis.set_title(f"{quantity.title}\n({better})", fontsize=9)
        axis.set_yticks(range(len(entrants)), [entrant.label for entrant in entrants])
        axis.set_ylim(len(entrants) - 0.5, -0.5)
        for row, entrant in enumerate(entrants):
            _dot(axis, row, entrant, quantity)
        axis.margins(x=0.12)
        _dress(axis.xaxis, quantity)
    return drawing


def _dot(axis: Any, row: int, entrant: EntrantResult, quantity: Quantity) -> None:
    summary = entrant.summary(quantity.id)
    if summary is None:
        return
    colour = _COLOUR[entrant.side]
    tail = quantity.id == "delay"
    low, high = (summary.median, summary.maximum) if tail else (summary.low, summary.high)
    axis.plot([low, high], [row, row], color=colour, linewidth=1.5, solid_capstyle="butt")
    axis.plot([summary.median], [row], marker="o", color=colour, markersize=7)
    if tail:
        axis.plot([summary.p99], [row], marker="|", color=colour, markersize=11)
        axis.plot([summary.maximum], [row], marker="|", color=colour, markersize=6)


def _lines(pyplot: Any, result: MeasurementResult) -> Any:
    """Draw a line for each entrant: cost by the number of timers, both logarithmic."""
    drawing, axis = pyplot.subplots(figsize=(9, 4), layout="constrained")
    quantities = MEASUREMENTS[result.name].quantities
    for entrant in result.entrants.values():
        found = [(int(q.id), summary) for q in quantities if (summary := entrant.summary(q.id))]
        if not found:
            continue
        axis.plot(
            [count for count, _ in found],
            [summary.median for _, summary in found],
            marker="o",
            linestyle={"shared-memory": "-", "local": "--", "file": ":"}.get(entrant.name, "-"),
            color=_COLOUR[entrant.side],
            alpha=0.65 if entrant.name.endswith("file") else 1.0,
            label=entrant.label,
        )
    axis.set_xscale("log")
    axis.set_xticks([int(q.id) for q in quantities], [f"{int(q.id):,}" for q in quantities])
    axis.minorticks_off()
    axis.set_xlabel("armed timers")
    axis.set_ylabel("processor time of one watchdog (less is better)")
    _dress(axis.yaxis, quantities[0])
    axis.legend(frameon=False)
    return drawing


def _dress(axis: Any, quantity: Quantity) -> None:
    """Make an axis logarithmic, with ticks that people read."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    plot = axis.axes
    (plot.set_xscale if axis.axis_name == "x" else plot.set_yscale)("log")
    axis.set_major_locator(_ticks(*axis.get_data_interval()))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value, quantity)))
    axis.set_minor_locator(NullLocator())
    plot.grid(axis=axis.axis_name, linewidth=0.6)
    plot.set_axisbelow(True)
    for side in ("top", "right", "left"):
        plot.spines[side].set_visible(False)
    plot.tick_params(length=0)


def _tick(value: float, quantity: Quantity) -> str:
    return re.sub(r"\.0+\b", "", figure(value, quantity.unit))


def _ticks(low: float, high: float) -> Any:
    """Return where ticks go: at most five, at powers of ten, or at 1, 2 and 5 if these are few."""
    from matplotlib.ticker import FixedLocator

    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if last - first <= 2:
        steps = [d * 10.0**power for power in range(first, last + 1) for d in (1, 2, 5)]
        inside = [tick for tick in steps if low / 1.3 <= tick <= high * 1.3]
        return FixedLocator(inside[:: math.ceil(len(inside) / 4)])
    return FixedLocator([10.0**power for power in range(first, last + 1, 1 + (last - first) // 4)])


def _themed(svg: str, title: str) -> str:
    """Return the SVG element alone, with variables in the place of colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    for colour, (role, _, _) in _ROLES.items():
        svg = svg.replace(colour, f"var(--plot-{role})")
    light = "".join(f"--plot-{role}:{colour};" for role, colour, _ in _ROLES.values())
    dark = "".join(f"--plot-{role}:{colour};" for role, _, colour in _ROLES.values())
    style = (
        f".benchmark{{{light}max-width:100%;height:auto}}"
        f"@media(prefers-color-scheme:dark){{.benchmark{{{dark}}}}}"
        # Furo says which theme was chosen, if one was.
        f'body[data-theme="light"] .benchmark{{{light}}}'
        f'body[data-theme="dark"] .benchmark{{{dark}}}'
    )
    opening = f'<svg class="benchmark" role="img" aria-label="{title}"'
    return svg.replace("<svg", opening, 1).replace("<defs>", f"<style>{style}</style><defs>", 1)

"""Diagrams of the executable model, made from the states that an exploration of it comes to.

`timer-diagram` shows the life of a timer, `watchdog-diagram` the steps of a server. Each state of
the model belongs to one box, and an arrow is drawn where a step of the kinds that are labelled
leads from one box to another. So there is no arrow that cannot be gone, and none is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, get_args

from elastic_timer_spec.exploration import Bounds, explore
from elastic_timer_spec.model.events import (
    Acquires,
    AsksSize,
    Event,
    Gets,
    Releases,
    Samples,
    ServerStarts,
    ServerStops,
    TimePasses,
    TriesToReap,
)
from elastic_timer_spec.model.invariants import Invariant, Step
from elastic_timer_spec.model.rules import Model
from elastic_timer_spec.model.state import Server, State
from elastic_timer_spec.model.timers import Outcome
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class _Diagram(SphinxDirective):
    boxes: ClassVar[Mapping[str, tuple[str, str]]]
    """The name of each box, what stands in it, and the class that gives it its colour."""
    alt: ClassVar[str]
    layout: ClassVar[str]

    def run(self) -> list[nodes.Node]:
        lines = ["```{graphviz}", f":alt: {self.alt}", ":align: center", "", "digraph model {"]
        lines += [f"  {self.layout}"]
        lines += ['  node [shape=box, style="rounded", fontsize=12, margin="0.16,0.08"];']
        lines += ["  edge [arrowsize=0.6, fontsize=11];"]
        lines += [
            f'  {name} [label="{label}", class="{class_}"];'
            for name, (label, class_) in self.boxes.items()
        ]
        lines += [
            f'  {before} -> {after} [label="{_broken_up(labels)}"];'
            for (before, after), labels in self.arrows().items()
        ]
        return self.parse_text_to_nodes("\n".join([*lines, "}", "```"]))

    def arrows(self) -> dict[tuple[str, str], list[str]]:
        """Return what leads from which box to which."""
        found: dict[tuple[str, str], list[str]] = {}

        def look(step: Step) -> None:
            boxes = self.box(step.before), self.box(step.after)
            label = self.label(step.event)
            if label and boxes[0] != boxes[1] and label not in found.setdefault(boxes, []):
                found[boxes].append(label)

        # It never fails: it is there to see every step.
        see = Invariant("", "safety", (), get_args(Event), look)
        explore(Model(), Bounds(workers=1, scopes=1, unread=1), invariants=[see])
        order = list(self.boxes)
        return dict(sorted(found.items(), key=lambda each: [order.index(name) for name in each[0]]))

    def box(self, state: State) -> str:
        """Return the box that a state belongs to."""
        raise NotImplementedError

    def label(self, event: Event) -> str:
        """Return what stands at an arrow; nothing if it is not drawn."""
        raise NotImplementedError


def _broken_up(labels: list[str]) -> str:
    return ",\\n".join(labels)


class TimerDiagram(_Diagram):
    """The life of a timer."""

    boxes: ClassVar = {
        "free": ("no timer", "quiet"),
        "sent": ("held,\\nnot read yet", "accent"),
        "armed": ("armed", "accent"),
        "expired": ("expired", "warn"),
        "late": ("found late", "stop"),
        "left": ("released,\\nnot read yet", "quiet"),
        "ended": ("worker reaped", "stop"),
    }
    alt = "The life of a timer in the model, from acquire over what the server reads to the reap."
    layout = "rankdir=LR; nodesep=0.35; ranksep=0.5;"

    def box(self, state: State) -> str:
        [worker] = state.workers
        mine = [timer for timer in state.table if timer.worker == worker.process]
        if not worker.lives:
            return "ended"
        late = state.watchdog.late if state.watchdog is not None else ()
        if any(timer.worker == worker.process for timer in late):
            return "late"
        if not worker.held:
            return "left" if mine else "free"
        if mine != list(worker.held):
            return "sent"
        return "expired" if mine[0].deadline <= state.now else "armed"

    def label(self, event: Event) -> str:
        match event:
            case Acquires():
                return "acquire"
            case Releases():
                return "release"
            case TimePasses():
                return "time passes"
            case Gets():
                return "read"
            case TriesToReap(_, outcome):
                return {
                    Outcome.REAPED: "reap",
                    Outcome.FAILS: "reaping fails",
                    Outcome.RAISES: "reaping raises",
                }.get(outcome, "")
        return ""


class WatchdogDiagram(_Diagram):
    """The steps of a server."""

    boxes: ClassVar = {
        "stopped": ("stopped\\nor gone", "quiet"),
        "between": ("between two\\nwatchdogs", ""),
        "sampled": ("time sampled", "accent"),
        "counted": ("requests\\ncounted", ""),
        "judged": ("somebody\\nis late", "warn"),
    }
    alt = "A server samples the time, counts the requests, gets, registers and judges, reaps."
    layout = "rankdir=LR; nodesep=0.4; ranksep=0.7;"

    def box(self, state: State) -> str:
        watchdog = state.watchdog
        if watchdog is None:
            return "between" if state.server is Server.RUNNING else "stopped"
        if watchdog.judged:
            return "judged"
        return "sampled" if watchdog.size < 0 else "counted"

    def label(self, event: Event) -> str:
        labels: dict[type[Event], str] = {
            Samples: "sample the time",
            AsksSize: "size",
            Gets: "get, register,\\njudge",
            TriesToReap: "reap the last",
            ServerStops: "stop",
            ServerStarts: "start",
        }
        return labels.get(type(event), "")


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_directive("timer-diagram", TimerDiagram)
    app.add_directive("watchdog-diagram", WatchdogDiagram)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

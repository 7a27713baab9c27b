"""What a run has found, as one page for a browser.

It can be kept, mailed or attached to a pull request: styles and script are part of it, it fetches
nothing, and it can be read in the light, in the dark and on paper.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from importlib import resources
from itertools import groupby
from pathlib import Path

import jinja2
from markupsafe import Markup

from elastic_timer_conformance.lesson import is_item, paragraphs, seen
from elastic_timer_conformance.report import SYMBOLS, conclusion, remark
from elastic_timer_conformance.run import Run, claimed_names
from elastic_timer_conformance.verdict import Verdict

__all__ = ["as_page", "write_page"]

# What means something in a part of a paragraph: `code`, *emphasis*, and a requirement's id.
MARKED = re.compile(r"`(?P<code>[^`]+)`|\*(?P<emphasis>\w[^*]*)\*|(?P<id>[A-Z]+(?:-[A-Z]+)+)")


def write_page(run: Run, path: Path) -> None:
    """Write the page to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_page(run), encoding="utf-8")


def as_page(run: Run) -> str:
    """Return the page, as HTML."""
    judgements = run.judgements()
    here = {entry.requirement.id for entry in judgements}
    titles = {area.id: area.title for area in run.specification.areas}
    counts = Counter(entry.verdict for entry in judgements)
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["prose"] = lambda part: _prose(part, here)
    source = resources.files("elastic_timer_conformance").joinpath("report_page.html.jinja")
    return environment.from_string(source.read_text("utf-8")).render(
        run=run,
        started=datetime.fromtimestamp(run.started, UTC),
        seconds=sum(result.duration for result in run.results.values()),
        capabilities=claimed_names(run.backend.capabilities),
        problems=run.problems(),
        conclusion=conclusion(run),
        total=len(judgements),
        counts=[(verdict, counts[verdict]) for verdict in Verdict if counts[verdict]],
        areas=[
            (area, titles[area], list(entries))
            for area, entries in groupby(judgements, key=lambda entry: entry.requirement.area)
        ],
        symbols=SYMBOLS,
        is_item=is_item,
        paragraphs=paragraphs,
        remark=remark,
        seen=seen,
    )


def _prose(part: str, here: set[str]) -> Markup:
    """Return a part of a paragraph as HTML, with links to the requirements that are `here`."""
    html = Markup("")
    end = 0
    for match in MARKED.finditer(part):
        html += Markup("{}").format(part[end : match.start()])
        html += _marked(match, here)
        end = match.end()
    return html + Markup("{}").format(part[end:])


def _marked(match: re.Match[str], here: set[str]) -> Markup:
    if match["code"]:
        return Markup("<code>{}</code>").format(match["code"])
    if match["emphasis"]:
        return Markup("<em>{}</em>").format(match["emphasis"])
    if match["id"] in here:
        return Markup('<a href="#{0}">{0}</a>').format(match["id"])
    return Markup("{}").format(match["id"])

"""Tables in Markdown, for directives that hand them to the page's own parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from elastic_timer_spec import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["NOTHING", "code", "codes", "need_if_known", "needs", "table"]

NOTHING = "\N{EN DASH}"


def table(name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table that takes the page's width; `name` is a class for the style sheet."""
    lines = [header, ["---"] * len(header), *rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{{.wide-table .{name}}}\n{body}\n"


def codes(names: Iterable[str], otherwise: str = NOTHING) -> str:
    """Return names as code, or something else if there are none."""
    return " ".join(map(code, names)) or otherwise


def code(text: str) -> str:
    """Return a text as code for the cell of a table, whatever is in it."""
    fence = "``" if "`" in text else "`"
    padding = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{padding}{text}{padding}{fence}".replace("|", r"\|")


def needs(ids: Iterable[str]) -> str:
    """Return links to requirements."""
    return " ".join(f"{{need}}`{id_}`" for id_ in ids) or NOTHING


def need_if_known(id_: str) -> str:
    """Return a link to a requirement, unless it is of an older specification and not there now."""
    return f"{{need}}`{id_}`" if id_ in load().requirements else f"`{id_}`"

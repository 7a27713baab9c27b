"""What may happen to a backend beside the model, from the machines themselves.

`machine-parts` gives a table of the parts of the machine that it names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data_directives import add_data_directives
from elastic_timer_conformance import machine
from elastic_timer_conformance.machine.machines import MACHINES
from markdown_tables import code, needs, table
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

_HEADER = ("Part", "What happens, or is demanded", "Left out for a backend that deviates from")


class MachineParts(SphinxDirective):
    """One row a part."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        for file in Path(machine.__path__[0]).rglob("*.py"):
            self.env.note_dependency(str(file))
        parts = MACHINES[self.arguments[0]].parts
        rows = ((code(name), part.what, needs(part.requirements)) for name, part in parts.items())
        return self.parse_text_to_nodes(table("parts", _HEADER, rows))


def setup(app: Sphinx) -> ExtensionMetadata:
    add_data_directives(app, {"machine-parts": MachineParts})
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

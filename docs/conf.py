"""The site: tutorial, guides, the specification, and the API.

The normative pages are not copied here: `docs/specification` is a link to `spec/text`.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
# The extensions, and the package `mutation`, which is not installed.
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

project = "Elastic Timer"
author = "The Elastic Timer authors"
project_copyright = "The Elastic Timer authors"
version = release = metadata.version("elastic-timer")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "inline_diagrams",
    "sphinx_needs",
    "requirement_cards",
    "requirement_links",
    "traceability_tables",
    "verdict_matrix",
    "model_diagrams",
    "model_tables",
    "wrong_backends",
    "machine_parts",
    "soak_results",
    "mutation_score",
    "sphinx_design",
    "sphinx_copybutton",
]

exclude_patterns = ["_build", "_ext", "tests", "examples"]
nitpicky = False
suppress_warnings: list[str] = []

# -- MyST -----------------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "deflist", "attrs_block", "attrs_inline", "fieldlist"]
myst_heading_anchors = 3

# -- Requirements ---------------------------------------------------------------------------

needs_from_toml = "ubproject.toml"
needs_flow_engine = "graphviz"

# -- API ------------------------------------------------------------------------------------

default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "both"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False

toc_object_entries_show_parents = "hide"

# -- Diagrams -------------------------------------------------------------------------------

graphviz_output_format = "svg"
graphviz_dot_args = ["-Gbgcolor=transparent", "-Gfontname=sans-serif"]

# -- HTML -----------------------------------------------------------------------------------

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "Elastic Timer"
html_static_path = ["_static"]
html_css_files = ["site.css", "requirements.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b6478",
        "color-brand-content": "#0b6478",
    },
    "dark_css_variables": {
        "color-brand-primary": "#6cc7d9",
        "color-brand-content": "#6cc7d9",
    },
}

copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True

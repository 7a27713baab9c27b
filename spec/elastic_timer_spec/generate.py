"""Generate `specification.json` from the normative pages, the interface and the indexes."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from elastic_timer_spec.interface import interface_elements
from elastic_timer_spec.keyword_toml import read_keywords
from elastic_timer_spec.needs_json import read_needs
from elastic_timer_spec.specification import VERSION, Specification

__all__ = ["PACKAGE", "SphinxError", "build_needs", "differences", "generate", "render"]

PACKAGE: Final = Path(__file__).parent

# A build of all pages takes two seconds on an idle machine; this only has to end a stuck one.
_BUILD_SECONDS: Final = 300


class SphinxError(RuntimeError):
    """Sphinx could not be run, or did not accept the pages; the text is what it wrote."""


def build_needs(docs: Path) -> dict[str, Any]:
    """Run Sphinx on the project in `docs` and return the `needs.json` that it makes, decoded.

    A warning counts as an error, since a requirement that sphinx-needs warns of (an id that is
    there twice, say) may be missing from what it writes. Raises SphinxError.
    """
    if not (docs / "conf.py").is_file():
        raise SphinxError(f"{docs} holds no conf.py; name the folder of the pages with --docs")
    if missing := [name for name in ("sphinx", "sphinx_needs") if find_spec(name) is None]:
        raise SphinxError(f"{', '.join(missing)} is not installed: install elastic-timer[docs]")
    with tempfile.TemporaryDirectory(prefix="elastic-timer-needs-") as directory:
        output = Path(directory, "out")
        options = ["-b", "needs", "-q", "-W", "--keep-going", "-d", str(Path(directory, "trees"))]
        command = [sys.executable, "-m", "sphinx", *options, str(docs), str(output)]
        try:
            build = subprocess.run(
                command, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise SphinxError(f"sphinx did not end within {_BUILD_SECONDS} s") from None
        if build.returncode:
            raise SphinxError((build.stderr or build.stdout).strip() or "sphinx failed silently")
        content = (output / "needs.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(content)
    return document


def generate(needs: Mapping[str, Any], keywords: Path) -> dict[str, Any]:
    """Return the content of `specification.json`.

    `needs` is the decoded `needs.json` of the pages, `keywords` the folder of the indexes. Raises
    PagesError or KeywordIndexError where either is unsound.
    """
    interface = interface_elements()
    areas, requirements = read_needs(needs, interface)
    specification = Specification(
        version=VERSION,
        areas=areas,
        requirements={requirement.id: requirement for requirement in requirements},
        interface=interface,
        indexes=read_keywords(keywords),
    )
    return to_document(specification)


def to_document(specification: Specification) -> dict[str, Any]:
    """Return what `specification.parse` turns into an equal specification again."""
    document = {
        "$schema": "specification.schema.json",
        "version": specification.version,
        "areas": specification.areas,
        "requirements": list(specification.requirements.values()),
        "interface": specification.interface,
        "indexes": specification.indexes,
    }
    # Through JSON, so that it is equal to what is read from the file.
    converted: dict[str, Any] = json.loads(json.dumps(document, default=dataclasses.asdict))
    return converted


def render(document: Mapping[str, Any]) -> str:
    """Return the text of `specification.json`; the same document gives the same bytes."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Tell in lines what differs between two contents of `specification.json`."""
    before = {entry["id"]: entry for entry in old.get("requirements", ())}
    after = {entry["id"]: entry for entry in new.get("requirements", ())}
    lines = [f"added    {name}" for name in after if name not in before]
    lines += [f"removed  {name}" for name in before if name not in after]
    for name, entry in after.items():
        earlier = before.get(name, entry)
        if changed := sorted(key for key in entry if entry[key] != earlier.get(key)):
            lines.append(f"changed  {name}: {', '.join(changed)}")
    if not lines and list(before) != list(after):
        lines.append("changed  the order of the requirements")
    rest = {key for key in {*old, *new} if key != "requirements" and old.get(key) != new.get(key)}
    lines += [f"changed  {key}" for key in sorted(rest)]
    return lines

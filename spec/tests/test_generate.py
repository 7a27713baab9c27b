"""specification.json is generated from pages by Sphinx, the same bytes each time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from elastic_timer_spec.__main__ import main
from elastic_timer_spec.generate import PACKAGE, SphinxError, build_needs, differences, render
from elastic_timer_spec.specification import VERSION, parse

# The least that makes a Sphinx project of requirements; the project's own is in docs/.
CONF = """\
project, version = "Pages", "1"
extensions = ["myst_parser", "sphinx_needs"]
needs_types = [{"directive": "req", "title": "R", "prefix": "", "color": "#fff", "style": "node"}]
needs_id_required = True
needs_reproducible_json = True
needs_fields = {
    "level": {"nullable": True},
    "profile": {"nullable": True},
    "capability": {"nullable": True},
    "interface": {"schema": {"type": "array", "items": {"type": "string"}}, "default": []},
    "keywords": {"schema": {"type": "array", "items": {"type": "string"}}, "default": []},
}
"""

REQUIREMENT = """\
```{{req}} {title}
:id: {id}
:level: MUST
:profile: core
:interface: RequestQueue.size, RequestQueue.get
:keywords: size

It MUST be so, as `code` says.

**Rationale.** Because.

**Verification.** By looking.
```
"""


def requirement(requirement_id: str, title: str = "A title") -> str:
    return REQUIREMENT.format(id=requirement_id, title=title)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    pages = {
        "conf.py": CONF,
        "index.md": "# All\n\n```{toctree}\nqueue\nrequest\n```\n",
        "queue.md": "# Queues\n\n" + requirement("QUEUE-B") + "\n" + requirement("QUEUE-A"),
        "request.md": "# Requests\n\n" + requirement("REQUEST-A"),
    }
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def run(docs: Path, *options: str) -> int:
    output = docs.parent / "specification.json"
    return main(["generate", "--docs", str(docs), "--output", str(output), *options])


def test_pages_become_a_specification_that_stays_fresh_until_they_change(
    docs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = docs.parent / "specification.json"
    assert run(docs) == 0
    written = output.read_bytes()
    specification = parse(json.loads(written))
    assert list(specification.requirements) == ["REQUEST-A", "QUEUE-B", "QUEUE-A"]
    assert [area.title for area in specification.areas] == ["Requests", "Queues"]
    assert specification.requirements["QUEUE-A"].statement == "It MUST be so, as `code` says."
    assert specification.version == VERSION

    assert run(docs, "--check") == 0
    assert run(docs) == 0
    assert output.read_bytes() == written

    page = docs / "queue.md"
    text = page.read_text("utf-8").replace("MUST be so", "MUST NOT be so", 1)
    page.write_text(text + "\n" + requirement("QUEUE-NEW"), encoding="utf-8")
    (docs / "request.md").write_text("# Requests\n", encoding="utf-8")
    capsys.readouterr()
    assert run(docs, "--check") == 1
    told = capsys.readouterr().out
    assert "added    QUEUE-NEW\n" in told
    assert "removed  REQUEST-A\n" in told
    assert "changed  QUEUE-B: digest, statement\n" in told
    assert "To mend it: python -m elastic_timer_spec generate\n" in told
    assert output.read_bytes() == written, "--check writes nothing"

    assert run(docs) == 0
    assert run(docs, "--check") == 0


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("RequestQueue.get", "RequestQueue.gets", "REQUEST-A (request.md, line 3): "),
        ("REQUEST-A", "QUEUE-A", "Duplicate need id|already exists|duplicate"),
    ],
)
def test_unsound_pages_are_refused_and_nothing_is_written(
    docs: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, cause: str
) -> None:
    page = docs / "request.md"
    page.write_text(page.read_text("utf-8").replace(old, new), encoding="utf-8")
    assert run(docs) == 2
    error = capsys.readouterr().err
    assert any(part in error for part in cause.split("|")), error
    assert not (docs.parent / "specification.json").exists()


def test_a_folder_without_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SphinxError, match=r"holds no conf\.py"):
        build_needs(tmp_path)


def test_the_committed_specification_is_what_the_pages_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = main(["generate", "--check"])
    assert status == 0, capsys.readouterr().out


def test_rendering_keeps_the_bytes_of_the_committed_file() -> None:
    text = (PACKAGE / "specification.json").read_text("utf-8")
    assert render(json.loads(text)) == text


OLD: dict[str, Any] = {
    "version": "1",
    "requirements": [{"id": "A", "title": "a", "level": "MUST"}, {"id": "B", "title": "b"}],
}


@pytest.mark.parametrize(
    ("new", "lines"),
    [
        (OLD, []),
        ({**OLD, "version": "2"}, ["changed  version"]),
        ({**OLD, "requirements": OLD["requirements"][::-1]}, ["changed  the order"]),
        ({**OLD, "requirements": OLD["requirements"][:1]}, ["removed  B"]),
        (
            {**OLD, "requirements": [{"id": "A", "title": "x", "level": "MAY"}, {"id": "C"}]},
            ["added    C", "removed  B", "changed  A: level, title"],
        ),
        ({"requirements": OLD["requirements"]}, ["changed  version"]),
    ],
)
def test_differences_are_told_by_id(new: dict[str, Any], lines: list[str]) -> None:
    told = differences(OLD, new)
    assert len(told) == len(lines)
    for line, start in zip(told, lines, strict=True):
        assert line.startswith(start)

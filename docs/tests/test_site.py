"""The site builds without a warning, and shows every requirement and every keyword."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from elastic_timer_spec import Area, Requirement, load

DOCS = Path(__file__).parent.parent
SPECIFICATION = load()

# A build takes ten seconds on an idle machine; this only ends one that hangs.
TIMEOUT = 600


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("dot") is None:
        pytest.skip("Graphviz's dot, which draws the diagrams, is not installed")
    output = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", DOCS, output],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return output


class Cards(HTMLParser):
    """Collects the text of every requirement's card in a page, by id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self._depth = 0
        self._id = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "div":
            return
        attributes = dict(attrs)
        if "requirement" in (attributes.get("class") or "").split():
            self._id, self._depth = attributes["id"] or "", 0
            self.texts[self._id] = ""
        self._depth += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "div" and self._id:
            self._depth -= 1
            if self._depth == 0:
                self._id = ""

    def handle_data(self, data: str) -> None:
        if self._id:
            self.texts[self._id] += data


def words(text: str) -> str:
    """Return the letters of a text: what is left when markup and typography are taken away."""
    text = re.sub(r"\{need\}|\[([^]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[^A-Za-z0-9]+", "", text)


@pytest.mark.parametrize("area", SPECIFICATION.areas, ids=lambda area: area.id)
def test_a_page_has_a_card_for_each_requirement_in_its_order(site: Path, area: Area) -> None:
    requirements = [entry for entry in SPECIFICATION.requirements.values() if entry.area == area.id]
    page = (site / "specification" / f"{requirements[0].page}.html").read_text("utf-8")
    cards = Cards(page).texts
    assert list(cards) == [entry.id for entry in requirements]
    for entry in requirements:
        _assert_complete(entry, cards[entry.id])


def _assert_complete(entry: Requirement, card: str) -> None:
    shown = words(card)
    for part in (entry.id, entry.level, entry.profile, entry.title, *entry.interface):
        assert words(part) in shown
    for part in (entry.statement, entry.rationale, entry.verification, *entry.keywords):
        assert words(part) in shown


def test_the_matrix_names_every_keyword(site: Path) -> None:
    page = (site / "traceability.html").read_text("utf-8")
    shown = set(re.findall(r'<span class="pre">([^<]+)</span>', page))
    assert {keyword for index in SPECIFICATION.indexes for keyword in index.keywords} <= shown


def test_the_table_links_every_requirement(site: Path) -> None:
    page = (site / "requirements.html").read_text("utf-8")
    for entry in SPECIFICATION.requirements.values():
        assert f'href="specification/{entry.page}.html#{entry.id}"' in page


def test_docstrings_link_the_requirements_that_they_name(site: Path) -> None:
    page = (site / "api" / "elastic_timer.html").read_text("utf-8")
    assert 'href="../specification/expires.html#EXPIRES-RECURSION"' in page


def test_diagrams_are_drawn_in_the_page(site: Path) -> None:
    page = (site / "specification" / "index.html").read_text("utf-8")
    drawings = re.findall(r"<svg role=.*?</svg>", page, re.DOTALL)
    assert len(drawings) == 2
    assert not re.search(r'(fill|stroke)="', "".join(drawings))
    assert 'aria-label="A timer is armed by acquire' in drawings[0]


def test_no_page_names_a_path_of_the_machine_that_built_it(site: Path) -> None:
    root = str(DOCS.parent)
    naming = [page.name for page in site.rglob("*.html") if root in page.read_text("utf-8")]
    assert naming == []

"""The site builds without a warning, and shows every requirement and every keyword."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from elastic_timer_conformance.wrong.catalogue import entries
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


# Reads the pages for their requirements alone, as when the specification's data is made from them,
# and fails where that data is asked for: it may be outdated then, or not be there at all.
READ_WITHOUT_DATA = """
import sys
import elastic_timer_spec
from elastic_timer_spec import specification

def load():
    raise AssertionError("the specification's data is asked for while it is being made")

elastic_timer_spec.load = specification.load = load
from sphinx.cmd.build import main
sys.exit(main(sys.argv[1:]))
"""


def test_the_pages_can_be_read_without_the_data_that_is_made_from_them(tmp_path: Path) -> None:
    options = ["-W", "--keep-going", "-q", "-b", "needs", "-d", str(tmp_path / "trees")]
    result = subprocess.run(
        [sys.executable, "-c", READ_WITHOUT_DATA, *options, DOCS, tmp_path / "out"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "out" / "needs.json").is_file()


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


def test_the_catalogue_names_every_wrong_backend_and_what_it_breaks(site: Path) -> None:
    page = (site / "wrong-backends.html").read_text("utf-8")
    rows = [words(html.unescape(re.sub(r"<[^>]+>", "", row))) for row in page.split("<tr ")]
    catalogue = entries(SPECIFICATION)
    assert f"There are {len(catalogue)}: " in page
    for entry in catalogue:
        breach, requirement = entry.breach, SPECIFICATION.requirements[entry.breach.requirement]
        shown = (requirement.id, entry.name, breach.how, *breach.implies.values(), breach.seen)
        assert any(all(words(part) in row for part in shown) for row in rows), entry.name
        assert f'href="specification/{requirement.page}.html#{requirement.id}"' in page


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

"""The page for a browser: whole, without anything from elsewhere, and the same verdicts."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from elastic_timer_conformance.report_page import as_page, write_page
from elastic_timer_conformance.verdict import Outcome, TestResult
from elastic_timer_spec import load
from test_report import make_run

# Elements that have no end.
VOID = {"meta", "input"}


class Page(HTMLParser):
    """Reads a page: its entries and the places that links lead to, and that all is well-formed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.entries: dict[str, set[str]] = {}
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append(tag)
        if tag == "details":
            is_open = {"open"} & set(attributes)
            self.entries[attributes["id"]] = {attributes["class"], *is_open}
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes["href"]] if tag == "a" else []
        self.fetched += [attributes[name] for name in ("src", "srcset") if name in attributes]
        self.fetched += [attributes["href"]] if tag == "link" else []

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data.split()

    @property
    def text(self) -> str:
        """What a reader sees, with a blank between words."""
        return " ".join(self.words)


@cache
def page_text() -> str:
    return "".join(Page(as_page(make_run())).words)


def test_the_page_has_every_verdict() -> None:
    run = make_run()
    page = Page(as_page(run))
    assert {name: min(seen - {"open"}) for name, seen in page.entries.items()} == {
        entry.requirement.id: entry.verdict.replace(" ", "-") for entry in run.judgements()
    }
    assert "1 problem QUEUE-SIZE is violated" in page.text
    assert "1 violates" in page.text


def test_what_is_violated_is_open_and_says_what_was_seen() -> None:
    page = Page(as_page(make_run()))
    assert [name for name, seen in page.entries.items() if "open" in seen] == ["QUEUE-SIZE"]
    assert "Seen 4 of 5 1 test test_0" in page.text
    assert "--backend tiny_backends:TinyBackend --requirement QUEUE-SIZE" in page.text


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = as_page(make_run())
    page = Page(text)
    assert page.fetched == []
    assert not re.search(r"@import|url\(|fetch\(", text)


def test_links_lead_somewhere_and_names_are_unique() -> None:
    page = Page(as_page(make_run()))
    assert set(page.links) <= {f"#{name}" for name in page.ids}
    assert len(set(page.ids)) == len(page.ids)
    assert page.links


@pytest.mark.parametrize("name", load().requirements)
def test_every_statement_is_there_in_full(name: str) -> None:
    statement = load().requirements[name].statement
    words = re.sub(r"\{\w+\}|[`*]", "", re.sub(r"(?m)^\s*- ", "", statement)).split()
    # An item's bullet is not a word of the specification, and blanks come with elements too.
    assert "".join(words) in page_text().replace("•", "").replace("*", "")


def test_what_a_test_says_is_text_and_nothing_else() -> None:
    run = make_run()
    hostile = "<script>alert('&amp;')</script>"
    run.results["test_9"] = TestResult("test_9", ("QUEUE-SIZE",), Outcome.FAILED, 0.1, hostile)
    text = as_page(run)
    assert hostile not in text
    assert hostile in Page(text).text


def test_a_page_is_written_where_there_is_no_folder_yet(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    write_page(make_run(), path)
    assert Page(path.read_text("utf-8")).entries

"""Whatever is extracted or read survives every form that an index takes."""

from __future__ import annotations

import dataclasses
import keyword
import unicodedata
from dataclasses import dataclass

import pytest
from elastic_timer_spec.keyword_extraction import extract
from elastic_timer_spec.keyword_index import (
    Keyword,
    KeywordIndex,
    KeywordIndexError,
    Link,
    PageFacts,
)
from elastic_timer_spec.keyword_page import read_page
from elastic_timer_spec.keyword_rendering import render
from elastic_timer_spec.keyword_toml import from_toml, to_toml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# No deadline, since a loaded machine is no fault; the same examples in each run, since a test
# that fails once in a while is worth less than one that fails or does not.
steady = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], max_examples=200
)


def usable(name: str) -> bool:
    """Python compares names in this normal form, so an index holds them in it too."""
    return not keyword.iskeyword(name) and unicodedata.normalize("NFKC", name) == name


names = st.from_regex(r"[a-cA-C_éж][a-c0-2_é]{0,5}", fullmatch=True).filter(usable)
modules = st.lists(names, min_size=1, max_size=3).map(".".join)


@dataclass(frozen=True)
class Source:
    """Lines of Python, and what an index has to list of them."""

    lines: tuple[str, ...] = ()
    classes: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()

    def __add__(self, other: Source) -> Source:
        return Source(
            self.lines + other.lines,
            self.classes | other.classes,
            self.functions | other.functions,
            self.imports | other.imports,
        )

    def under(self, header: str) -> Source:
        """The same lines as the body of a statement."""
        body = [f"    {line}" for line in (*self.lines, "pass")]
        return dataclasses.replace(self, lines=(header, *body))


def imported(line: str, *listed: str) -> Source:
    return Source(tuple(line.split("\n")), imports=frozenset(listed))


dots = st.sampled_from(["", ".", "..", "...."])
imports = st.one_of(
    st.builds(lambda m: imported(f"import {m}", m), modules),
    st.builds(lambda m, a: imported(f"import {m} as {a}", m), modules, names),
    st.builds(lambda m, n: imported(f"import {m}, {n}", m, n), modules, modules),
    st.builds(lambda d, m, a: imported(f"from {d}{m} import {a}", d + m, a), dots, modules, names),
    st.builds(lambda m, a, b: imported(f"from {m} import {a} as {b}", m, a), modules, names, names),
    st.builds(lambda m, a, b: imported(f"from {m} import {a}, {b}", m, a), modules, names, names),
    st.builds(lambda m, a: imported(f"from {m} import ({a})", m), modules, names),
    st.builds(lambda m, a: imported(f"from {m} import (\n  {a},\n)", m), modules, names),
    st.builds(lambda a: imported(f"from . import {a}  # why", ".", a), names),
)
plain = st.sampled_from(["x = 'class A: pass'", "# import a", "def_ = 0"]).map(
    lambda line: Source((line,))
)


def compound(body: st.SearchStrategy[Source]) -> st.SearchStrategy[Source]:
    def function(name: str, inside: Source, start: str) -> Source:
        return inside.under(f"{start} {name}(self):") + Source(functions=frozenset({name}))

    def class_(name: str, inside: Source) -> Source:
        return inside.under(f"class {name}:") + Source(classes=frozenset({name}))

    blocks = st.lists(body, max_size=4).map(lambda parts: sum(parts, Source()))
    return st.one_of(
        st.builds(function, names, blocks, st.sampled_from(["def", "async def"])),
        st.builds(class_, names, blocks),
        st.builds(lambda inside: inside.under("if True:"), blocks),
    )


sources = st.lists(st.recursive(imports | plain, compound, max_leaves=12), max_size=5).map(
    lambda parts: sum(parts, Source())
)


@steady
@given(sources)
def test_extracting_rendering_and_reading_agree(source: Source) -> None:
    index = extract("\n".join(source.lines), path="folder/module.py")
    assert {word.name for word in index.classes} == source.classes
    assert {word.name for word in index.functions} == source.functions
    assert {word.name for word in index.imports} == source.imports
    for words in (index.classes, index.functions, index.imports):
        listed = [word.name for word in words]
        assert listed == sorted(set(listed))
    assert read_page(render(index)) == index
    assert from_toml(to_toml(index)) == index


# Any text but half characters, which no encoding can carry.
texts = st.text(st.characters(exclude_categories=["Cs"]))
links = st.builds(Link, texts, texts)


def keywords(link: st.SearchStrategy[Link]) -> st.SearchStrategy[tuple[Keyword, ...]]:
    named = st.dictionaries(modules, link, max_size=4)
    return named.map(lambda found: tuple(Keyword(name, found[name]) for name in sorted(found)))


def indexes(
    text: st.SearchStrategy[str], link: st.SearchStrategy[Link]
) -> st.SearchStrategy[KeywordIndex]:
    page = st.builds(
        PageFacts,
        path=text,
        size=st.integers(0, 10**12),
        type=text,
        extension=text,
        related=st.lists(link, max_size=3).map(tuple),
        cross_references=st.dictionaries(text, text, min_size=1, max_size=3).map(
            lambda found: tuple(found.items())
        ),
    )
    return st.builds(
        KeywordIndex,
        original_file=link,
        documentation=link,
        folder=text,
        classes=keywords(link),
        functions=keywords(link),
        imports=keywords(link),
        sections=st.lists(text, max_size=3, unique=True).map(tuple),
        page=st.none() | page,
        digest=text,
    )


@steady
@given(indexes(texts, links))
def test_the_normalised_form_loses_nothing(index: KeywordIndex) -> None:
    text = to_toml(index)
    copy = from_toml(text)
    assert copy == index
    assert to_toml(copy) == text, "size and digest take no part in the comparison"


# What names, paths and labels are made of, blanks and brackets within included.
ordinary = st.from_regex(r"[\w./](?:[\w ./()\[+-]*[\w./)])?", fullmatch=True)


@steady
@given(indexes(ordinary, st.builds(Link, ordinary, ordinary)))
def test_an_ordinary_index_can_be_rendered(index: KeywordIndex) -> None:
    assert read_page(render(index)) == index


@steady
@given(indexes(texts, links))
def test_any_other_index_is_rendered_faithfully_or_refused(index: KeywordIndex) -> None:
    try:
        page = render(index)
    except KeywordIndexError:
        return
    assert read_page(page) == index


def read_or_refuse(content: str | bytes) -> None:
    """Fails with whatever else than KeywordIndexError the reader raises."""
    try:
        index = read_page(content)
    except KeywordIndexError:
        return
    assert index.path


@steady
@given(st.text() | st.binary())
def test_the_reader_refuses_arbitrary_content_in_one_way(content: str | bytes) -> None:
    read_or_refuse(content)


PAGE = render(
    dataclasses.replace(
        extract("import a\nclass B:\n    def c(self): ...", path="m.py"),
        sections=("Section",),
        page=PageFacts("p.md", 0, "T", ".md", (Link("l", "t"),), (("Label", "t"),)),
    )
)
cuts = st.integers(0, len(PAGE))


@steady
@given(cuts, cuts, st.text(max_size=20) | st.sampled_from(PAGE.split("\n")))
def test_the_reader_refuses_a_damaged_page_in_one_way(start: int, end: int, put: str) -> None:
    read_or_refuse(PAGE[:start] + put + PAGE[end:])


@steady
@given(st.text() | st.sampled_from(["digest = 1", "[page]", "x = [[[[", "a.b.c = 1"]))
def test_the_normalised_form_is_refused_in_one_way(text: str) -> None:
    with pytest.raises(KeywordIndexError):
        from_toml(text)

"""Extraction lists what the pages list, by the rules that its module states."""

from __future__ import annotations

from pathlib import Path

import elastic_timer_spec
import pytest
from elastic_timer_spec.keyword_extraction import extract, extract_file
from elastic_timer_spec.keyword_index import KeywordIndexError
from elastic_timer_spec.keyword_page import read_page
from elastic_timer_spec.keyword_rendering import render


def imports(source: str) -> list[str]:
    return [keyword.name for keyword in extract(source, path="m.py").imports]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import time", ["time"]),
        ("import unittest.mock as mock", ["unittest.mock"]),
        ("import b, a", ["a", "b"]),
        ("from m.n import a", ["a", "m.n"]),
        ("from m import a as b", ["a", "m"]),
        ("from m import a, b", ["a", "m"]),
        ("from m import a  # why", ["a", "m"]),
        ("from m import (a, b)", ["m"]),
        ("from m import (\n    a,\n    b,\n)", ["m"]),
        ("from m import \\\n    a", ["m"]),
        ("from m import *", ["m"]),
        ("from . import a", [".", "a"]),
        ("from ..m import a", ["..m", "a"]),
        ("def f():\n    from m import a", ["a", "m"]),
        ("if x:\n    import m\nelse:\n    import n", ["m", "n"]),
        ("import m; import m", ["m"]),
        ("text = 'import m'", []),
        ("é = 1; from m import a", ["a", "m"]),
    ],
)
def test_imports_are_listed_as_the_pages_list_them(source: str, names: list[str]) -> None:
    assert imports(source) == names


SOURCE = '''\
"""class NotThis: def nor_this"""
class Outer(Base):
    class Inner: ...
    def method(self):
        def nested(): ...
        async def nested_async(): ...
        return lambda: 0
    @property
    def value(self): ...
    async def wait(self): ...

def method(): ...
if True:
    def conditional(): ...
'''


def test_classes_and_functions_are_listed_wherever_they_stand() -> None:
    index = extract(SOURCE, path="folder/m.py")
    assert [keyword.name for keyword in index.classes] == ["Inner", "Outer"]
    assert [keyword.name for keyword in index.functions] == [
        "conditional",
        "method",
        "nested",
        "nested_async",
        "value",
        "wait",
    ]


def test_links_lead_where_the_links_of_a_page_lead() -> None:
    index = extract("def f(): ...", path="folder/m.py")
    assert index.original_file.target == "../../folder/m.py"
    assert index.documentation.target == "./m.py_docs.md"
    assert index.functions[0].link == index.documentation
    assert index.folder == "folder"


def test_the_declared_encoding_is_followed() -> None:
    source = "# coding: latin-1\ndef gr\xfc\xdfe(): ...\n".encode("latin-1")
    assert extract(source, path="m.py").functions[0].name == "gr\xfc\xdfe"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("def", 1),
        ("x = 1\nclass", 2),
        (b"\xff\xfe", 0),
        ("a\0b", 0),
        (b"# coding: nonsense\n", 0),
        ("\ud800", 0),
    ],
)
def test_what_is_not_python_is_refused(source: bytes | str, line: int) -> None:
    with pytest.raises(KeywordIndexError, match="is not Python") as caught:
        extract(source, path="m.py")
    assert caught.value.file == "m.py"
    if line:
        assert caught.value.line == line


def test_a_warning_about_the_source_is_not_raised_here() -> None:
    assert imports("import m\nx = '\\d'") == ["m"]


@pytest.mark.parametrize(
    "module", sorted(Path(elastic_timer_spec.__file__).parent.glob("*.py")), ids=lambda p: p.name
)
def test_a_module_of_this_project_reads_back_as_extracted(module: Path) -> None:
    index = extract_file(module)
    page = render(index)
    assert read_page(page) == index
    assert read_page(page.encode()) == index
    defined = index.classes or index.functions or index.imports
    assert defined

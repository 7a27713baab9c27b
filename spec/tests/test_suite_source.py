"""The suite's tests are found by reading its source, whatever state it is in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from elastic_timer_spec.suite_source import SuiteError, find_suite, read_suite

SUITE = """\
import a_module_that_nobody_has
from somewhere import requirement
import conformance.requirement as marks

@requirement("QUEUE-SIZE")
def test_one(): ...

@requirement("QUEUE-SIZE", "QUEUE-ORDER")
@other("NOT-AN-ID")
@requirement
async def test_two():
    def test_nested(): ...

@marks.requirement("SERVER-CLEAR")
class TestServer:
    @requirement("SERVER-REGISTER")
    @requirement("SERVER-CLEAR")
    def test_three(self): ...

    class TestInner:
        def test_four(self): ...

    def helper(self): ...

def test_five(): ...
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    folder = tmp_path / "package" / "suite"
    (folder / "deep").mkdir(parents=True)
    (folder / "test_queue.py").write_text(SUITE, encoding="utf-8")
    (folder / "deep" / "test_more.py").write_text("def test_six(): ...\n", encoding="utf-8")
    (folder.parent / "workers").mkdir()
    (folder.parent / "workers" / "blocks.py").write_text(
        "def func():\n    def func2(): ...\ndef test_no(): ...\n", encoding="utf-8"
    )
    return folder


def test_tests_carry_the_ids_of_their_own_and_their_class(suite: Path) -> None:
    found = {test.name: test.requirements for test in read_suite(suite).tests}
    assert found == {
        "test_six": (),
        "test_one": ("QUEUE-SIZE",),
        "test_two": ("QUEUE-SIZE", "QUEUE-ORDER"),
        "TestServer.test_three": ("SERVER-CLEAR", "SERVER-REGISTER"),
        "TestServer.TestInner.test_four": ("SERVER-CLEAR",),
        "test_five": (),
    }


def test_tests_know_where_they_stand(suite: Path) -> None:
    found = {test.function: (test.file, test.line) for test in read_suite(suite).tests}
    assert found["test_one"] == ("test_queue.py", 6)
    assert found["test_six"] == ("deep/test_more.py", 1)
    assert found["test_three"] == ("test_queue.py", 18)


def test_what_a_test_asks_for_is_followed_through_the_fixtures(suite: Path) -> None:
    (suite.parent / "fixtures.py").write_text(
        "@pytest.fixture\ndef host(hosts, *, allowance): ...\n"
        "@pytest.fixture(scope='session')\ndef hosts(): ...\n"
        "def clock(host): ...\n",
        encoding="utf-8",
    )
    (suite / "test_fixtures.py").write_text(
        "@fixture\ndef step(host, step): ...\n"
        "def test_a(step, jump): ...\n"
        "def test_b(clock): ...\n"
        "class TestC:\n    def test_c(self, hosts): ...\n",
        encoding="utf-8",
    )
    found = {test.function: test.fixtures for test in read_suite(suite).tests}
    assert found["test_a"] == {"step", "jump", "host", "hosts", "allowance"}
    assert found["test_b"] == {"clock"}
    assert found["test_c"] == {"self", "hosts"}
    assert found["test_one"] == frozenset()


def test_every_name_of_the_suite_and_of_its_workers_is_known(suite: Path) -> None:
    assert {"TestInner", "helper", "test_nested", "func", "func2"} <= read_suite(suite).names


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("def", r"test_bad\.py is not Python"),
        ("a\0b", r"test_bad\.py is not Python"),
        ("@requirement(ID)\ndef test_x(): ...", r"test_bad\.py:1: an id that is not written out"),
        ("@requirement(3)\nclass A: ...", r"test_bad\.py:1: an id that is not written out"),
    ],
)
def test_what_cannot_be_traced_is_refused(suite: Path, source: str, cause: str) -> None:
    (suite / "test_bad.py").write_text(source, encoding="utf-8")
    with pytest.raises(SuiteError, match=cause):
        read_suite(suite)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="there is no folder"):
        read_suite(tmp_path / "none")


def test_the_installed_suite_is_found_and_not_imported() -> None:
    before = "elastic_timer_conformance" in sys.modules
    folder = find_suite()
    assert folder.name == "suite"
    assert folder.is_dir()
    assert ("elastic_timer_conformance" in sys.modules) == before


def test_a_missing_suite_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "elastic_timer_conformance", raising=False)
    with pytest.raises(SuiteError, match="is not installed; name the folder"):
        find_suite()

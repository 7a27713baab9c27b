"""What the conformance suite tests, found by reading its source and never by importing it.

Importing would run the suite's code and need all that it needs; reading works in a bare install
and on a suite that is broken.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeGuard

from elastic_timer_spec.mark import Mark, MarkError

__all__ = ["SuiteError", "SuiteSource", "SuiteTest", "WrittenMark", "find_suite", "read_suite"]

_PACKAGE: Final = "elastic_timer_conformance"
_DECORATOR: Final = "requirement"


class SuiteError(ValueError):
    """The suite cannot be found or read."""


@dataclass(frozen=True, slots=True)
class WrittenMark:
    """A mark, and where in its file the string stands that it is written in.

    `start` and `end` are line, from 1, and column, from 0 and in bytes of UTF-8, as in `ast`.
    """

    mark: Mark
    start: tuple[int, int]
    end: tuple[int, int]


@dataclass(frozen=True, slots=True)
class SuiteTest:
    """A test function: its name, with its class's before it, where it stands, what it tests.

    `marks` are those that it or its class is decorated with, `fixtures` the names of all that it
    asks for, and of what these ask for in turn.
    """

    name: str
    file: str
    line: int
    marks: tuple[WrittenMark, ...]
    fixtures: frozenset[str] = frozenset()

    @property
    def requirements(self) -> tuple[str, ...]:
        """The ids of the requirements that it verifies, each once."""
        return tuple(dict.fromkeys(written.mark.requirement for written in self.marks))

    @property
    def function(self) -> str:
        """The name of the function alone."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class SuiteSource:
    """The suite's tests, and every name that its source gives to a function or a class."""

    folder: Path
    tests: tuple[SuiteTest, ...]
    names: frozenset[str]


def find_suite() -> Path:
    """Return the folder of the installed suite.

    The package is located, not imported. Raises SuiteError when it is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SuiteError(f"{_PACKAGE} is not installed; name the folder of the suite with --suite")
    return Path(next(iter(spec.submodule_search_locations)), "suite")


def read_suite(folder: Path) -> SuiteSource:
    """Read every Python file of the folder, and what is beside it of the suite's.

    That is the folder `workers`, and `fixtures.py`, where the fixtures of all tests are.

    Raises SuiteError when there is no such folder, or a file in it is not Python.
    """
    if not folder.is_dir():
        raise SuiteError(f"there is no folder {folder}")
    files = sorted(folder.rglob("*.py"))
    workers = sorted((folder.parent / "workers").glob("*.py"))
    tests: list[SuiteTest] = []
    names: set[str] = set()
    shared = folder.parent / "fixtures.py"
    fixtures = _fixtures(_parsed(shared)) if shared.is_file() else {}
    for file in files + workers:
        tree = _parsed(file)
        named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        names |= {node.name for node in ast.walk(tree) if isinstance(node, named)}
        if file not in workers:
            tests += _tests(
                tree, file.relative_to(folder).as_posix(), {**fixtures, **_fixtures(tree)}
            )
    return SuiteSource(folder, tuple(tests), frozenset(names))


def _parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes(), filename=str(file))
    except (SyntaxError, ValueError) as error:
        raise SuiteError(f"{file} is not Python: {error}") from None


def _fixtures(tree: ast.Module) -> dict[str, frozenset[str]]:
    """Return what each fixture of a file asks for."""
    return {
        node.name: _arguments(node)
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list)
    }


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    return frozenset(argument.arg for argument in node.args.args + node.args.kwonlyargs)


def _closure(names: frozenset[str], fixtures: Mapping[str, frozenset[str]]) -> frozenset[str]:
    asked = names.union(*(fixtures.get(name, frozenset()) - {name} for name in names))
    return names if asked == names else _closure(asked, fixtures)


def _tests(
    tree: ast.Module | ast.ClassDef,
    file: str,
    fixtures: Mapping[str, frozenset[str]],
    prefix: str = "",
    inherited: tuple[WrittenMark, ...] = (),
) -> Iterator[SuiteTest]:
    """Find the tests of a module or a class; functions inside functions are none."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            marks = (*inherited, *_marks(node.decorator_list, file))
            yield from _tests(node, file, fixtures, f"{prefix}{node.name}.", marks)
        elif _is_test(node):
            marks = (*inherited, *_marks(node.decorator_list, file))
            asked = _closure(_arguments(node), fixtures)
            yield SuiteTest(prefix + node.name, file, node.lineno, marks, asked)


def _is_test(node: ast.stmt) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, functions) and node.name.startswith("test_")


def _marks(decorators: Iterable[ast.expr], file: str) -> Iterator[WrittenMark]:
    for decorator in decorators:
        if not isinstance(decorator, ast.Call):
            continue
        function = decorator.func
        name = function.attr if isinstance(function, ast.Attribute) else None
        if isinstance(function, ast.Name):
            name = function.id
        if name != _DECORATOR:
            continue
        for argument in decorator.args:
            place = f"{file}:{decorator.lineno}"
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                raise SuiteError(f"{place}: an id that is not written out cannot be traced")
            try:
                mark = Mark.parse(argument.value)
            except MarkError as error:
                raise SuiteError(f"{place}: {error}") from None
            start = argument.lineno, argument.col_offset
            end = argument.end_lineno or argument.lineno, argument.end_col_offset or 0
            yield WrittenMark(mark, start, end)

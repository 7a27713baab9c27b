"""Who may import whom, and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SPEC = ROOT / "spec" / "elastic_timer_spec"
IMPLEMENTATION = ROOT / "reference_impl" / "elastic_timer"
CONFORMANCE = ROOT / "conformance" / "elastic_timer_conformance"
STANDARD_LIBRARY = sys.stdlib_module_names


def imported_packages(source: Path) -> set[str]:
    """Return the top-level packages that a file imports anywhere in it, by absolute name."""
    packages = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            packages.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            packages.add(node.module.split(".")[0])
    return packages


def sources(*packages: Path) -> list[Path]:
    found = [source for package in packages for source in sorted(package.rglob("*.py"))]
    assert found, f"no source below {packages}"
    return found


def test_the_reader_of_imports_sees_every_form(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("import a.b\ndef f():\n    from c.d import e\n    from . import g\n")
    assert imported_packages(source) == {"a", "c"}


@pytest.mark.parametrize("package", [SPEC, IMPLEMENTATION], ids=lambda package: package.name)
def test_the_specification_and_the_implementation_need_only_the_standard_library(
    package: Path,
) -> None:
    allowed = STANDARD_LIBRARY | {package.name}
    foreign = {
        str(source.relative_to(ROOT)): sorted(imported_packages(source) - allowed)
        for source in sources(package)
        if imported_packages(source) - allowed
    }
    assert not foreign


def test_only_adapters_of_the_suite_import_an_implementation() -> None:
    implementations = {"elastic_timer", "torch"}
    rooms = (CONFORMANCE / "backends", CONFORMANCE / "wrong")
    trespassers = {
        str(source.relative_to(ROOT)): sorted(imported_packages(source) & implementations)
        for source in sources(CONFORMANCE)
        if imported_packages(source) & implementations
        and not any(source.is_relative_to(room) for room in rooms)
    }
    assert not trespassers


@pytest.mark.parametrize("package", ["elastic_timer", "elastic_timer_spec"])
def test_importing_it_imports_nothing_heavy(package: str) -> None:
    heavy = {"asyncio", "multiprocessing", "ctypes", "torch", "pytest"}
    code = f"import sys, {package}; print(*sorted(set(sys.modules) & {heavy!r}))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.split() == []


def test_the_bare_install_has_no_dependencies() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == []

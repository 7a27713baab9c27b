"""What can be done with this project: ``python3 -m nox -l`` lists it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = True
nox.options.download_python = "never"
nox.options.sessions = ["tests", "lint", "types", "spec", "docs"]

ROOT = Path(__file__).parent
TORCH = "torch==2.13.0"
VERDICTS = ("local", "file", "shared-memory", "local-mp-queue", "torch-local", "torch-file")
# They are skipped, with the reason, wherever PyTorch is not installed.
NEED_TORCH = [
    "conformance/tests/test_interoperability.py",
    "conformance/tests/test_interoperability_file.py",
    "docs/tests/test_findings.py",
]
PACKAGES = [
    "spec/elastic_timer_spec",
    "reference_impl/elastic_timer",
    "conformance/elastic_timer_conformance",
]
# What measures and tries out the packages; like them, it is typed.
TOOLS = ["benchmarks", "mutation"]


@nox.session
def conformance(session: nox.Session) -> None:
    """Judge a backend: ``nox -s conformance -- --backend=local`` (``--help`` for more)."""
    if any("torch" in argument for argument in session.posargs):
        session.notify("conformance_torch", session.posargs)
        session.log("PyTorch's own backends run in the session conformance_torch, which follows")
        return
    session.install("-e", ".[conformance]")
    session.run("python", "-m", "elastic_timer_conformance", *session.posargs)


# pip chooses a CPU build of PyTorch where one is offered; uv would fetch CUDA's packages as well.
@nox.session(venv_backend="venv")
def conformance_torch(session: nox.Session) -> None:
    """Judge PyTorch's own backends, torch-local and torch-file, and run what needs PyTorch.

    With arguments, the suite gets them; with a part of the suite selected, only that is run.
    """
    session.install(TORCH)
    session.install("-e", ".[conformance]")
    suite = ("python", "-m", "elastic_timer_conformance")
    if session.posargs:
        session.run(*suite, *session.posargs)
    else:
        session.run(*suite, "--backend=torch-local")
        session.run(*suite, "--backend=torch-file")
    names = {argument.partition("=")[0] for argument in session.posargs}
    if names <= {"--backend", "--report-json", "--allowance"}:
        session.run("python", "-m", "pytest", *NEED_TORCH)


@nox.session(venv_backend="venv")
def verdicts(session: nox.Session) -> None:
    """Judge the backends that the site shows side by side, and keep their reports in docs/data."""
    session.install(TORCH)
    session.install("-e", ".[conformance]")
    for name in VERDICTS:
        report = ROOT / "docs" / "data" / f"{name}.json"
        suite = ("python", "-m", "elastic_timer_conformance")
        session.run(*suite, f"--backend={name}", f"--report-json={report}")
        _forget_messages(report)


@nox.session
def soak(session: nox.Session) -> None:
    """Repeat the suite on a busy machine: ``nox -s soak -- --backend=local --times=30``."""
    session.install("-e", ".[conformance]")
    command = ("python", "-m", "elastic_timer_conformance", "soak", *session.posargs)
    # Time after Ctrl-C to end what is under way, and to tell what has come of the runs until then.
    session.run(*command, interrupt_timeout=60.0, terminate_timeout=60.0)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests of the specification, the reference implementation, the suite and the docs."""
    session.install("-e", ".[test,docs]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(venv_backend="venv")
def bench(session: nox.Session) -> None:
    """Measure the timers beside PyTorch's: ``nox -s bench -- --quick`` (``--help`` for more)."""
    session.install(TORCH, "numpy")
    session.install("-e", ".[bench]")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Count the errors in the reference implementation that the suite notices (``-- --help``)."""
    session.install("-e", ".[mutation]")
    # Time after Ctrl-C to say that everything so far is kept.
    session.run("python", "-m", "mutation", *session.posargs, interrupt_timeout=10.0)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting, and that the changelog fragments can be put together."""
    session.install(".[lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("towncrier", "build", "--draft", "--version", "next", silent=True)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of all three packages, and that the implementation fits the interface."""
    session.install("-e", ".[types]")
    session.run(
        "mypy", *PACKAGES, "benchmarks", "mutation", "noxfile.py", "tests/interface_fits.py"
    )


@nox.session
def spec(session: nox.Session) -> None:
    """Check that specification.json is what the pages say, and account for every keyword."""
    session.install("-e", ".[docs]")
    _require_dot(session)
    session.run("python", "-m", "elastic_timer_spec", "generate", "--check")
    session.run("python", "-m", "elastic_timer_spec", "check", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into docs/_build/html; every warning is an error."""
    session.install("-e", ".[docs]")
    _require_dot(session)
    output = ROOT / "docs" / "_build" / "html"
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "-b", "html", "docs", str(output))
    session.log(f"open {output / 'index.html'}")


def _forget_messages(report: Path) -> None:
    """Take out of a report what tests have said: it names places on the machine that ran them."""
    document = json.loads(report.read_text("utf-8"))
    for test in document["tests"]:
        test["message"] = ""
    report.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _require_dot(session: nox.Session) -> None:
    """Stop early and clearly where Graphviz is missing: it draws the diagrams."""
    if shutil.which("dot") is None:
        session.error(
            "the diagrams need Graphviz's 'dot': install the package 'graphviz' "
            "(Debian, Ubuntu: apt-get install graphviz; macOS: brew install graphviz)"
        )

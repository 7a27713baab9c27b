"""The pytest plugin that turns tests into verdicts. Load it with `-p` under this module's name.

It is not loaded by being installed: whoever runs the suite asks for it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from elastic_timer_spec import Level, Profile, UnknownRequirementError, load

from elastic_timer_conformance import fixtures, report
from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.backend import NotOffered
from elastic_timer_conformance.backends import KNOWN, UnknownBackendError, load_backend
from elastic_timer_conformance.collection import (
    OUTDATED,
    REQUIREMENTS,
    choose,
    layer_of,
    why_outdated,
)
from elastic_timer_conformance.fixtures import BORROWED, RUN
from elastic_timer_conformance.latency import Reap
from elastic_timer_conformance.layer import Layer
from elastic_timer_conformance.lesson import Taught, lesson
from elastic_timer_conformance.machine.difference import ModelError
from elastic_timer_conformance.requirement import NOT_APPLICABLE
from elastic_timer_conformance.run import Run
from elastic_timer_conformance.verdict import Measurement, Outcome, TestResult


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("elastic timer conformance")
    group.addoption(
        "--backend",
        metavar="NAME",
        help=f"the backend to judge: module:Class or one of {', '.join(KNOWN)}",
    )
    group.addoption(
        "--profile",
        action="append",
        choices=[str(profile) for profile in Profile],
        help="test requirements of this profile only; may be given several times (default: all)",
    )
    group.addoption(
        "--requirement",
        action="append",
        metavar="ID",
        default=[],
        help="test this requirement only; may be given several times",
    )
    group.addoption(
        "--layer",
        choices=[str(layer) for layer in Layer],
        help="run the tests of this layer only: interface, which starts no workers and takes "
        "seconds, or process (default: both)",
    )
    group.addoption(
        "--allowance",
        type=float,
        metavar="SECONDS",
        default=Allowance().signal,
        help="how long to wait for what must come, beyond what the specification grants "
        "(default: %(default)g)",
    )
    group.addoption(
        "--examples",
        type=int,
        metavar="N",
        help="how many sequences of steps each comparison with the model tries (default: a few)",
    )
    group.addoption(
        "--seed",
        type=int,
        metavar="N",
        default=0,
        help="which sequences these are; the same number gives the same ones "
        "(default: %(default)s)",
    )
    group.addoption(
        "--report-json", type=Path, metavar="PATH", help="write the verdicts to this file"
    )
    group.addoption(
        "--report-html", type=Path, metavar="PATH", help="write them as a page to this file"
    )
    group.addoption(
        "--whole-suite",
        action="store_true",
        help="fail if a core requirement has no test among those collected",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "requirement(*marks): what the test verifies; see requirement.py"
    )
    if config.option.backend is None:
        raise pytest.UsageError(
            f"which backend? Give --backend=NAME, one of {', '.join(KNOWN)}, or module:Class"
        )
    specification = load()
    try:
        backend = load_backend(config.option.backend)
        selected = frozenset(specification.find(name).id for name in config.option.requirement)
        for deviation in backend.deviations:
            specification.find(deviation.requirement)
    except (UnknownBackendError, UnknownRequirementError) as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[RUN] = Run(
        specification=specification,
        backend=backend,
        spec=config.option.backend,
        allowance=replace(Allowance(), signal=config.option.allowance),
        profiles=frozenset(map(Profile, config.option.profile or Profile)),
        selected=selected,
        layer=Layer(config.option.layer) if config.option.layer else None,
        whole_suite=config.option.whole_suite,
        narrowed=not config.option.whole_suite and any("::" in word for word in config.args),
    )
    config.pluginmanager.register(fixtures, "elastic timer conformance fixtures")


def pytest_report_header(config: pytest.Config) -> list[str]:
    run = config.stash[RUN]
    return [
        f"backend: {run.backend.name} ({run.backend.version()}), "
        f"specification {run.specification.version}, "
        f"profiles: {', '.join(sorted(run.profiles))}",
        f"allowance: {run.allowance.signal:g} s for what must come, "
        f"{run.allowance.silence:g} s for what must not",
    ]


# First, so that `-k` and the like have not taken away tests whose existence is asked about.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted, unwanted = choose(config.stash[RUN], items)
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = wanted


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    if pyfuncitem.stash[OUTDATED]:
        pytest.fail(why_outdated(pyfuncitem, pyfuncitem.config.stash[RUN]), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    seen = yield
    run = item.config.stash[RUN]
    if call.excinfo is not None and isinstance(call.excinfo.value, ModelError):
        # The model stands for many requirements, and this failure knows which it is about.
        item.stash[REQUIREMENTS] = call.excinfo.value.requirements
    names = item.stash[REQUIREMENTS]
    if call.excinfo is not None and call.excinfo.errisinstance(NotOffered):
        path, line, _ = item.location
        seen.outcome = "skipped"
        seen.longrepr = (path, (line or 0) + 1, f"Skipped: {NOT_APPLICABLE}{call.excinfo.value}")
    if seen.skipped and NOT_APPLICABLE not in seen.longreprtext:
        seen.outcome = "failed"
        seen.longrepr = (
            f"{item.nodeid} was skipped. A test either tells something or calls "
            f"not_applicable() with the reason why it cannot: {seen.longreprtext}"
        )
    # Plain attributes of a report reach the controller of a distributed run too.
    result = TestResult(seen.nodeid, names, Outcome.PASSED, message=_message(seen))
    seen.__dict__["requirements"] = names
    seen.__dict__["layer"] = str(layer_of(item))
    seen.__dict__["verdict_message"] = result.message
    if item.stash[OUTDATED]:
        seen.__dict__["outdated"] = True
        seen.__dict__["verdict_message"] = result.message.removeprefix("Failed: ")
    elif seen.failed:
        seen.longrepr = cast("Any", Taught(_teach(item, result, run), seen.longrepr))
        for host in item.stash.get(BORROWED, []):
            seen.sections.append(("written by the host process and its workers", host.said()))
        known = [run.deviations[name] for name in names if name in run.deviations]
        optional = [run.specification.requirements[name].level is Level.MAY for name in names]
        if known or all(optional):
            # It counts as failed for the verdict; for pytest it is what was to be expected.
            seen.__dict__["failed_as_expected"] = True
            seen.outcome = "skipped"
            seen.wasxfail = known[0].reason if known else "optional, and not offered"
    return seen


def _message(seen: pytest.TestReport) -> str:
    """Return in few words what a test saw, or why it is not applicable."""
    if seen.skipped:
        return str(seen.longrepr[2] if isinstance(seen.longrepr, tuple) else "").partition(
            NOT_APPLICABLE
        )[2]
    crash = getattr(seen.longrepr, "reprcrash", None)
    return str(crash.message if crash is not None else seen.longreprtext if seen.failed else "")


def _teach(item: pytest.Item, result: TestResult, run: Run) -> str:
    """Return what a reader of a failure has to know."""
    test = getattr(item, "originalname", item.name)
    lessons = (
        lesson(
            run.specification.requirements[name],
            result,
            run.command(requirement=name, test=test),
        )
        for name in result.requirements
    )
    return "\n\n".join("\n".join(lines) for lines in lessons)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.pluginmanager.register(_Results(session.config.stash[RUN]))


class _Results:
    """Gathers the reports of a test's phases into one result."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        names = getattr(report, "requirements", None)
        # A subtest's report comes in addition to its test's, and says more only if it failed.
        is_subtest = hasattr(report, "context")
        if names is None or (is_subtest and report.outcome == "passed"):
            return
        result = self._run.results.setdefault(
            report.nodeid, TestResult(report.nodeid, tuple(names), Outcome.PASSED)
        )
        result.requirements = tuple(names)
        result.layer = Layer(report.__dict__["layer"])
        if not is_subtest:
            result.duration += report.duration
        if hasattr(report, "outdated"):
            result.outcome = Outcome.OUTDATED
        elif report.failed or hasattr(report, "failed_as_expected"):
            result.outcome = Outcome.FAILED
        elif report.skipped and result.outcome is Outcome.PASSED:
            result.outcome = Outcome.NOT_APPLICABLE
        result.message = result.message or getattr(report, "verdict_message", "")
        if report.when == "call" and not is_subtest:
            result.measured += [
                Measurement(*cast("tuple[str, float]", value))
                for name, value in report.user_properties
                if name == "measured"
            ]
        if report.when == "teardown":
            result.reaps += [
                Reap(*cast("tuple[float, bool]", value))
                for name, value in report.user_properties
                if name == "reaped"
            ]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    run = session.config.stash[RUN]
    if session.config.option.collectonly:
        return
    if not hasattr(session.config, "workerinput"):
        _write_reports(run, session.config.option)
    if run.problems() and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _write_reports(run: Run, options: Any) -> None:
    if options.report_json is not None:
        report.write_json(run, options.report_json)
    if options.report_html is not None:
        # Its template engine is loaded only for those who want a page.
        from elastic_timer_conformance.report_page import write_page

        write_page(run, options.report_html)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    run = config.stash[RUN]
    if config.option.collectonly:
        return
    terminalreporter.section(
        f"{run.backend.name} against specification {run.specification.version}"
    )
    for line in report.as_table(run):
        terminalreporter.write_line(line)
    problems = run.problems()
    for problem in problems:
        terminalreporter.write_line(f"FAILED: {problem}", red=True)
    terminalreporter.write_line("")
    if not problems:
        terminalreporter.write_line(report.conclusion(run), green=True)
    terminalreporter.write_line(f"To repeat this: {run.command()}")

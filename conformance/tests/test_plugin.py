"""From tests to a run that passes or fails, and says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from elastic_timer_conformance.lesson import statement_lines
from elastic_timer_spec import load
from elastic_timer_spec.mark import Mark

# conftest.run_tests: gives a conftest.Finished.
RunTests = Callable[..., Any]

SIZE = load().requirements["QUEUE-SIZE"]

PASSING = """
from elastic_timer_conformance.requirement import requirement

@requirement("QUEUE-SIZE")
def test_size():
    assert True
"""

FAILING = PASSING.replace("True", "[] == [1], 'it has lost count'")

NOT_APPLICABLE = """
from elastic_timer_conformance.requirement import not_applicable, requirement

@requirement("QUEUE-SIZE")
def test_size():
    not_applicable("there is nothing to count")
"""


def test_met(run_tests: RunTests) -> None:
    done = run_tests(PASSING, "--backend=tiny_backends:TinyBackend")
    assert done.status == 0, done.output
    assert done.verdict("QUEUE-SIZE") == "conforms"
    assert done.verdict("QUEUE-ORDER") == "not run"
    assert done.verdict("OBSERVE-EVENTS") == "not claimed"
    assert done.report["passed"] is True


def test_violated(run_tests: RunTests) -> None:
    done = run_tests(FAILING, "--backend=tiny_backends:TinyBackend")
    assert done.status == 1
    assert done.verdict("QUEUE-SIZE") == "violates"
    assert done.report["problems"] == ["QUEUE-SIZE is violated"]


def test_a_failure_teaches(run_tests: RunTests) -> None:
    output = run_tests(FAILING, "--backend=tiny_backends:TinyBackend").output
    statement = "\n".join(f"    {line}" for line in statement_lines(SIZE))
    assert (
        f"""
QUEUE-SIZE (MUST, core): Size is what a get could return

Demanded:

{statement}

Seen:

    it has lost count

    in test_tiny.py::test_size

To repeat just this:

    python -m elastic_timer_conformance --backend tiny_backends:TinyBackend \
--requirement QUEUE-SIZE -k test_size

Where:
"""
        in output
    )
    assert output.index("Where:") < output.index("E       AssertionError: it has lost count")
    assert "✗ QUEUE-SIZE                      MUST    violates        it has lost count\n" in output


def test_a_failure_of_two_requirements_teaches_both(run_tests: RunTests) -> None:
    text = FAILING.replace('"QUEUE-SIZE"', '"QUEUE-SIZE", "QUEUE-ORDER"')
    output = run_tests(text, "--backend=tiny_backends:TinyBackend").output
    for name in ("QUEUE-SIZE", "QUEUE-ORDER"):
        assert f"--requirement {name} -k test_size\n" in output
        assert f"{name} (MUST, core): " in output


def test_a_failure_teaches_in_a_file_for_other_programs(
    run_tests: RunTests, tmp_path: Path
) -> None:
    file = tmp_path / "junit.xml"
    run_tests(FAILING, "--backend=tiny_backends:TinyBackend", f"--junitxml={file}")
    assert "Demanded:" in file.read_text("utf-8")


def test_a_known_deviation_does_not_fail_the_run(run_tests: RunTests) -> None:
    done = run_tests(FAILING, "--backend=tiny_backends:Deviating")
    assert done.status == 0, done.output
    assert done.verdict("QUEUE-SIZE") == "deviates"
    [requirement] = [entry for entry in done.report["requirements"] if entry["link"]]
    assert requirement["reason"] == "it cannot count"
    assert requirement["link"] == "https://example.org/cannot-count"


def test_a_stale_deviation_fails_the_run(run_tests: RunTests) -> None:
    done = run_tests(PASSING, "--backend=tiny_backends:Deviating")
    assert done.status == 1
    assert "FAILED: QUEUE-SIZE is stale as a deviation" in done.output
    assert done.report["passed"] is False


TWO = PASSING + PASSING.replace("test_size", "test_other")


@pytest.mark.parametrize(
    ("arguments", "only", "share"),
    [
        (["-k", "test_other"], None, "1 of 2 tests"),
        (["--deselect", "test_tiny.py::test_size"], None, "1 of 2 tests"),
        ([], "test_other", "1 of its tests"),
    ],
)
def test_a_run_of_some_tests_makes_no_deviation_stale(
    run_tests: RunTests, arguments: list[str], only: str | None, share: str
) -> None:
    done = run_tests(TWO, "--backend=tiny_backends:Deviating", *arguments, only=only)
    assert done.status == 0, done.output
    assert done.verdict("QUEUE-SIZE") == "not run"
    assert f"its deviation does not show in {share}: it cannot count" in done.output


def test_a_run_of_some_tests_says_of_how_many(run_tests: RunTests) -> None:
    done = run_tests(TWO, "--backend=tiny_backends:TinyBackend", "-k", "test_other")
    assert done.status == 0, done.output
    assert "conforms        1 of 2 tests\n" in done.output
    assert "has violated nothing, its deviations aside; but not all tests were run" in done.output
    [requirement] = [entry for entry in done.report["requirements"] if entry["tests"]]
    assert requirement["collected"] == 2


def test_a_run_that_was_ended_early_says_of_how_many(run_tests: RunTests) -> None:
    text = FAILING.replace("QUEUE-SIZE", "QUEUE-ORDER").replace("test_size", "test_bad")
    text = PASSING + text + PASSING.replace("test_size", "test_last")
    done = run_tests(text, "--backend=tiny_backends:Deviating", "-x")
    assert done.status == 1
    assert done.verdict("QUEUE-SIZE") == "not run"
    assert done.report["problems"] == ["QUEUE-ORDER is violated"]


def test_a_deviation_that_is_there_sometimes(run_tests: RunTests) -> None:
    for text in (PASSING, FAILING):
        done = run_tests(text, "--backend=tiny_backends:SometimesDeviating")
        assert done.status == 0, done.output
        assert done.verdict("QUEUE-SIZE") == "deviates"


def test_a_deviation_from_an_unknown_requirement_is_refused(run_tests: RunTests) -> None:
    done = run_tests(PASSING, "--backend=tiny_backends:DeviatingFromNothing")
    assert done.status == 4
    assert "no requirement 'QUEUE-SIZES'. Did you mean QUEUE-SIZE" in done.output


def test_not_applicable_has_its_reason_in_the_report(run_tests: RunTests) -> None:
    order = PASSING.replace("QUEUE-SIZE", "QUEUE-ORDER").replace("test_size", "test_order")
    done = run_tests(NOT_APPLICABLE + order, "--backend=tiny_backends:TinyBackend")
    assert done.status == 0, done.output
    assert done.verdict("QUEUE-SIZE") == "not applicable"
    assert "there is nothing to count" in done.output


def test_what_a_backend_does_not_offer_is_not_applicable(run_tests: RunTests) -> None:
    text = (
        PASSING
        + """
@requirement("QUEUE-MALFORMED")
def test_raw(backend):
    backend.send_raw(None, b"")
"""
    )
    done = run_tests(text, "--backend=tiny_backends:TinyBackend")
    assert done.status == 0, done.output
    assert done.verdict("QUEUE-MALFORMED") == "not applicable"
    assert "the backend 'tiny' does not offer a transport that takes raw bytes" in done.output


@pytest.mark.parametrize(
    "text",
    [
        PASSING.replace("assert True", "import pytest; pytest.skip('not today')"),
        "import pytest\n" + PASSING.replace("@req", "@pytest.mark.skip\n@req"),
    ],
)
def test_a_silent_skip_is_a_failure(run_tests: RunTests, text: str) -> None:
    done = run_tests(text, "--backend=tiny_backends:TinyBackend")
    assert done.status == 1
    assert done.verdict("QUEUE-SIZE") == "violates"
    assert "calls not_applicable() with the reason" in done.output


def test_an_error_in_a_fixture_is_a_violation(run_tests: RunTests) -> None:
    text = (
        "import pytest\n"
        + PASSING.replace("test_size()", "test_size(broken)")
        + """
@pytest.fixture
def broken():
    raise RuntimeError("no queue today")
"""
    )
    done = run_tests(text, "--backend=tiny_backends:TinyBackend")
    assert done.status == 1
    assert done.verdict("QUEUE-SIZE") == "violates"
    assert "no queue today" in done.output


@pytest.mark.parametrize(
    ("text", "arguments", "reason"),
    [
        ("", [], "no test was run"),
        (NOT_APPLICABLE, [], "there is nothing to count"),
        (PASSING, ["--requirement=QUEUE-ORDER"], "no test was run"),
        (PASSING, ["--profile=robust"], "no test was run"),
        (
            PASSING.replace("QUEUE-SIZE", "OBSERVE-EVENTS"),
            ["--requirement=OBSERVE-EVENTS"],
            "not claimed: capability 'events'",
        ),
    ],
)
def test_a_run_without_a_test_fails(
    run_tests: RunTests, text: str, arguments: list[str], reason: str
) -> None:
    done = run_tests(text, "--backend=tiny_backends:TinyBackend", *arguments)
    assert done.status == 1
    assert "FAILED: no test was run" in done.output
    assert reason in done.output


def test_a_claimed_capability_is_tested(run_tests: RunTests) -> None:
    text = PASSING.replace("QUEUE-SIZE", "OBSERVE-EVENTS")
    done = run_tests(text, "--backend=tiny_backends:Observable")
    assert done.status == 0, done.output
    assert done.verdict("OBSERVE-EVENTS") == "conforms"


def test_an_unknown_requirement_on_a_test_is_refused(run_tests: RunTests) -> None:
    text = PASSING.replace("QUEUE-SIZE", "QUEUE-SIZES")
    done = run_tests(text, "--backend=tiny_backends:TinyBackend")
    assert done.status != 0
    assert "test_size: there is no requirement 'QUEUE-SIZES'. Did you mean" in done.output


def test_a_test_without_a_requirement_is_refused(run_tests: RunTests) -> None:
    done = run_tests("def test_size(): pass", "--backend=tiny_backends:TinyBackend")
    assert done.status != 0
    assert "names no requirement" in done.output


def test_a_core_requirement_without_a_test_fails_a_whole_suite(run_tests: RunTests) -> None:
    text = PASSING.replace("QUEUE-SIZE", str(Mark.of(SIZE)))
    done = run_tests(text, "--backend=tiny_backends:TinyBackend", "--whole-suite")
    assert done.status == 1
    [problem] = done.report["problems"]
    assert problem.startswith("core requirements without a test: REQUEST-FIELDS, ")
    assert "QUEUE-SIZE," not in problem
    assert "QUEUE-MALFORMED" not in problem


OUTDATED = PASSING.replace("QUEUE-SIZE", "QUEUE-SIZE@0123abcd")


@pytest.mark.parametrize("backend", ["TinyBackend", "Deviating", "SometimesDeviating"])
def test_a_test_of_an_earlier_statement_fails_whatever_the_backend(
    run_tests: RunTests, tmp_path: Path, backend: str
) -> None:
    done = run_tests(OUTDATED, f"--backend=tiny_backends:{backend}")
    assert done.status == 1
    assert done.verdict("QUEUE-SIZE") == "not run"
    [test] = done.report["tests"]
    assert test["outcome"] == "outdated"
    now = SIZE.digest[:8]
    assert f"of its statement was 0123abcd, and is {now}." in done.output
    assert "QUEUE-SIZE was changed since this test was last held against it" in test["message"]
    command = "python -m elastic_timer_spec reviewed QUEUE-SIZE test_tiny.py::test_size"
    assert f"what is demanded now: {command} --suite {tmp_path}" in done.output
    assert done.report["problems"][0].startswith(
        "QUEUE-SIZE: what is demanded was changed, and 1 test not looked at since; see "
    )
    assert "1 failed" in done.output


def test_an_outdated_test_does_not_hide_what_another_one_finds(run_tests: RunTests) -> None:
    text = FAILING + OUTDATED.replace("test_size", "test_old")
    done = run_tests(text, "--backend=tiny_backends:TinyBackend")
    assert done.verdict("QUEUE-SIZE") == "violates"


def test_a_test_of_the_statement_as_it_is_runs(run_tests: RunTests) -> None:
    mark = Mark.of(SIZE)
    done = run_tests(
        PASSING.replace("QUEUE-SIZE", str(mark)), "--backend=tiny_backends:TinyBackend"
    )
    assert done.status == 0, done.output
    assert done.verdict("QUEUE-SIZE") == "conforms"


@pytest.mark.parametrize("mark", ["QUEUE-SIZE@", "QUEUE-SIZE@01", "QUEUE-SIZE@0123ABCD", "A B"])
def test_a_mark_that_is_none_is_refused(run_tests: RunTests, mark: str) -> None:
    done = run_tests(PASSING.replace("QUEUE-SIZE", mark), "--backend=tiny_backends:TinyBackend")
    assert done.status != 0
    assert f"test_size: {mark!r} is not an id such as 'QUEUE-SIZE'" in done.output


def test_in_the_whole_suite_a_test_without_a_digest_is_refused(run_tests: RunTests) -> None:
    text = PASSING.replace("@req", "@pytest.mark.parametrize('_', [1, 2])\n@req").replace(
        "test_size()", "test_size(_)"
    )
    done = run_tests(
        "import pytest\n" + text, "--backend=tiny_backends:TinyBackend", "--whole-suite"
    )
    assert done.status != 0
    assert done.output.count("  test_tiny.py::test_size: QUEUE-SIZE\n") == 1
    assert "python -m elastic_timer_spec reviewed QUEUE-SIZE test_tiny.py::test_size" in done.output


def test_measured_times_are_reported(run_tests: RunTests) -> None:
    text = PASSING.replace("test_size()", "test_size(measured)").replace(
        "assert True", "measured('latency', 0.0125); measured('latency', 0.002)"
    )
    done = run_tests(text, "--backend=tiny_backends:TinyBackend")
    assert "conforms        latency: 12.5 ms" in done.output
    [requirement] = [entry for entry in done.report["requirements"] if entry["measured"]]
    assert requirement["measured"] == {"latency": 0.0125}


def test_a_failing_subtest_counts_once(run_tests: RunTests) -> None:
    text = PASSING.replace("test_size()", "test_size(subtests)").replace(
        "    assert True",
        """
    for number in range(3):
        with subtests.test(number=number):
            assert number != 1
""",
    )
    done = run_tests(text, "--backend=tiny_backends:TinyBackend")
    assert done.status == 1
    assert done.verdict("QUEUE-SIZE") == "violates"
    assert len(done.report["tests"]) == 1


LAYERS = """
import pytest
from elastic_timer_conformance.requirement import requirement

@pytest.fixture
def my_server(host):
    pass

@requirement("QUEUE-SIZE")
def test_in_this_process(clock):
    pass

@requirement("QUEUE-ORDER")
def test_by_way_of_another_fixture(my_server):
    pass

@requirement("QUEUE-SIZE")
def test_of_every_start_method(borrow_host):
    pass
"""


@pytest.mark.parametrize(
    ("arguments", "tests"),
    [
        ([], 3),
        (["--layer=interface"], 1),
        (["--layer=process"], 2),
        (["--layer=process", "--requirement=QUEUE-SIZE"], 1),
    ],
)
def test_a_layer_is_what_its_tests_ask_for(
    run_tests: RunTests, arguments: list[str], tests: int
) -> None:
    done = run_tests(LAYERS, "--backend=tiny_backends:TinyBackend", "--collect-only", *arguments)
    assert done.output.count("<Function ") == tests, done.output


def test_the_command_to_repeat_names_the_layer(run_tests: RunTests) -> None:
    done = run_tests(LAYERS, "--backend=tiny_backends:TinyBackend", "--layer=interface")
    assert done.status == 0, done.output
    assert done.report["command"].endswith("--layer interface")


def test_an_unknown_layer_is_refused(run_tests: RunTests) -> None:
    done = run_tests(LAYERS, "--backend=tiny_backends:TinyBackend", "--layer=network")
    assert done.status == 4
    assert "'network' (choose from 'interface', 'process')" in done.output


ALLOWANCE = """
import pytest
from elastic_timer_conformance.requirement import requirement

@pytest.mark.parametrize("_", [0])
@requirement("QUEUE-SIZE")
def test_known(allowance, _):
    assert False, f"known: {allowance.signal:g}"

@requirement("QUEUE-ORDER")
def test_other(allowance):
    assert allowance.signal == 10

@requirement("QUEUE-SIZE", "QUEUE-ORDER")
def test_both(allowance):
    assert allowance.signal == 10
"""


def test_what_is_known_not_to_come_is_not_waited_for_as_long(run_tests: RunTests) -> None:
    done = run_tests(ALLOWANCE, "--backend=tiny_backends:Deviating")
    assert done.status == 0, done.output
    [known] = [test for test in done.report["tests"] if "test_known" in test["test"]]
    assert known["message"].startswith("AssertionError: known: 1\n")
    assert done.verdict("QUEUE-ORDER") == "conforms"

"""Several reports side by side, and what is said when they cannot be put there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from elastic_timer_conformance.matrix import ReportError, as_markdown, read_report
from elastic_timer_conformance.report import as_document, write_json
from test_report import make_run
from tiny_backends import Deviating


def matrix(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "elastic_timer_conformance", "matrix", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    write_json(make_run(), path)
    return path


def test_several_reports_make_one_table() -> None:
    first, second = as_document(make_run()), as_document(make_run(Deviating()))
    lines = list(as_markdown([first, second]))
    assert lines[0] == f"Specification {first['specification']}."
    assert "| QUEUE-SIZE | MUST | ✗ violates | ✗ |" in lines
    assert "| QUEUE-ORDER | MUST | ✓ | ✓ |" in lines
    assert "| QUEUE-GET-EARLY | MUST | n/a | n/a |" in lines
    assert "| REQUEST-FIELDS | MUST | ? | ? |" in lines
    assert "| **conforms** |  | **1** | **1** |" in lines
    assert "| **violates** |  | **1** | **0** |" in lines
    assert "| **deviates** |  | **0** | **1** |" in lines
    assert "- QUEUE-SIZE: AssertionError: 4 of 5" in lines
    assert "- QUEUE-SIZE: it cannot count ([source](https://example.org/cannot-count))" in lines


def test_a_backend_s_run_can_be_repeated_from_the_table() -> None:
    document = as_document(make_run())
    [line] = [line for line in as_markdown([document]) if document["command"] in line]
    assert document["backend"]["version"] in line
    assert document["started"][:10] in line
    assert document["machine"]["python"] in line
    assert "| 2 samples, p50 2.1 ms, p99 4.2 ms, worst 4.2 ms | 1 of 3 |" in line


def test_requirements_can_be_links() -> None:
    lines = list(as_markdown([as_document(make_run())], lambda name: f"[{name}](#{name})"))
    assert "| [QUEUE-ORDER](#QUEUE-ORDER) | MUST | ✓ |" in lines
    assert "- [QUEUE-SIZE](#QUEUE-SIZE): AssertionError: 4 of 5" in lines


def test_a_requirement_that_one_report_lacks_was_not_run() -> None:
    full, part = as_document(make_run()), as_document(make_run(Deviating()))
    part["requirements"] = [entry for entry in part["requirements"] if entry["id"] != "QUEUE-ORDER"]
    for reports, row in (([full, part], "✓ | ?"), ([part, full], "? | ✓")):
        lines = list(as_markdown(reports))
        assert f"| QUEUE-ORDER | MUST | {row} |" in lines


@pytest.mark.parametrize(("collected", "of"), [(3, "3"), (None, "?")])
def test_a_verdict_on_some_of_the_tests_says_so(collected: int | None, of: str) -> None:
    document = as_document(make_run())
    for entry in document["requirements"]:
        entry["collected"] = collected
    lines = list(as_markdown([document]))
    assert f"| QUEUE-ORDER | MUST | ✓ (1 of {of} tests) |" in lines
    assert "| QUEUE-SIZE | MUST | ✗ violates |" in lines


def test_a_report_of_an_earlier_version_is_read() -> None:
    document = as_document(make_run())
    for entry in document["requirements"]:
        del entry["collected"]
    del document["latency"]
    assert "| QUEUE-ORDER | MUST | ✓ |" in list(as_markdown([document]))


def test_command_prints(report: Path) -> None:
    done = matrix(str(report), str(report))
    assert done.returncode == 0, done.stderr
    assert "| QUEUE-ORDER | MUST | ✓ | ✓ |" in done.stdout.splitlines()


def test_command_writes_a_file(report: Path, tmp_path: Path) -> None:
    output = tmp_path / "matrix.md"
    done = matrix(str(report), "--output", str(output))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert output.read_text(encoding="utf-8") == matrix(str(report)).stdout


def test_command_says_where_it_cannot_write(report: Path, tmp_path: Path) -> None:
    done = matrix(str(report), "--output", str(tmp_path / "missing" / "matrix.md"))
    assert done.returncode == 2
    assert done.stderr.endswith("missing/matrix.md: No such file or directory\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a report, since it is not JSON"),
        ("[]", "not a report as --report-json writes it"),
        ('{"backend": {}}', "not a report as --report-json writes it"),
        ('{"format": 0}', "a report of format 0, and this version of the suite reads format 1"),
        (b"\xff", "not a text"),
        (None, "No such file or directory"),
    ],
)
def test_what_is_no_report_is_refused(
    tmp_path: Path, text: str | bytes | None, message: str
) -> None:
    path = tmp_path / "some.json"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ReportError, match=rf"some\.json: {message}"):
        read_report(path)
    done = matrix(str(path))
    assert done.returncode == 2
    assert f"some.json: {message}" in done.stderr
    assert "Traceback" not in done.stderr


def test_specifications_must_be_the_same() -> None:
    first, second = as_document(make_run()), as_document(make_run(Deviating()))
    second["specification"] = "9.9"
    with pytest.raises(ReportError, match=r"different specifications: .* by 9\.9"):
        list(as_markdown([first, second]))


def test_texts_of_requirements_must_be_the_same() -> None:
    first, second = as_document(make_run()), as_document(make_run(Deviating()))
    second["requirements"][0]["digest"] = "0" * 12
    with pytest.raises(ReportError, match=f"different texts of {first['requirements'][0]['id']}"):
        list(as_markdown([first, second]))


def test_no_report_at_all_is_an_error() -> None:
    done = matrix()
    assert done.returncode == 2
    assert "REPORT.json" in done.stderr

"""The command does what its help says, and fails with a sentence and a status."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from elastic_timer_spec import load
from elastic_timer_spec.__main__ import main
from elastic_timer_spec.keyword_index import KeywordIndex
from elastic_timer_spec.keyword_page import read_page
from elastic_timer_spec.keyword_toml import read_keywords

COMMAND = [sys.executable, "-m", "elastic_timer_spec"]
# No command here works for a second; this only has to end one that is stuck.
SECONDS = 120


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite that accounts for all there is to account for."""
    folder = tmp_path / "suite"
    folder.mkdir()
    specification = load()
    held = {keyword for index in specification.indexes for keyword in index.keywords}
    lines = [f"def {keyword}(): ..." for keyword in sorted(held) if keyword.isidentifier()]
    for number, requirement_id in enumerate(specification.requirements):
        lines.append(f"@requirement({requirement_id!r})\ndef test_requirement_{number}(): ...")
    (folder / "test_all.py").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_check_is_content_with_a_complete_suite(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--suite", str(suite)]) == 0
    out = capsys.readouterr().out
    number = len(load().requirements)
    assert f"requirements  {number} of {number} tested" in out


def test_check_reports_what_is_left_over(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = suite / "test_all.py"
    text = file.read_text("utf-8").replace("def test_get_size()", "def test_got_size()")
    file.write_text(text.replace("'QUEUE-SIZE'", "'QUEUE-SIZES'"), encoding="utf-8")
    assert main(["check", "--suite", str(suite)]) == 1
    out = capsys.readouterr().out
    assert "test keyword without a test: test_get_size\n" in out
    assert "test of an unknown requirement: QUEUE-SIZES\n" in out
    assert "did you mean QUEUE-SIZE?" in out
    assert "core requirement without a test: QUEUE-SIZE\n" in out


def test_check_writes_json_on_demand(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", "--suite", str(suite)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["version"] == load().version
    assert report["findings"] == []
    assert set(report["tests"]) == set(load().requirements)
    assert all(entry["accounted_for"] for entry in report["keywords"])
    assert report["suite"] == str(suite)


def test_check_looks_at_the_installed_suite_by_default(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = main(["check", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert Path(report["suite"]).parent.name == "elastic_timer_conformance"
    assert status == (1 if report["findings"] else 0)


def test_check_refuses_a_suite_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--suite", str(tmp_path / "none")]) == 2
    assert "error: there is no folder" in capsys.readouterr().err


def test_show_prints_a_requirement_and_its_tests(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    requirement = load().find("QUEUE-SIZE")
    assert main(["show", "QUEUE-SIZE", "--suite", str(suite)]) == 0
    out = capsys.readouterr().out
    assert requirement.title in out
    assert requirement.statement in out
    assert requirement.rationale in out
    assert requirement.verification in out
    assert f"Digest:     {requirement.digest}" in out
    number = list(load().requirements).index("QUEUE-SIZE")
    assert f"Tests: test_requirement_{number}\n" in out


def test_show_suggests_an_id_for_a_wrong_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "QUEUE-SIZ"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: there is no requirement 'QUEUE-SIZ'. Did you mean QUEUE-SIZE")


def test_extract_prints_a_page_that_reads_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "m.py"
    file.write_text("import os\ndef f(): ...\n", encoding="utf-8")
    assert main(["extract", str(file)]) == 0
    assert read_page(capsys.readouterr().out).keywords == ("f", "os")


def test_extract_goes_on_after_a_broken_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, sound = tmp_path / "a.py", tmp_path / "b.py"
    broken.write_text("def", encoding="utf-8")
    sound.write_text("def f(): ...", encoding="utf-8")
    assert main(["extract", str(broken), str(sound), str(tmp_path / "none.py")]) == 2
    captured = capsys.readouterr()
    assert read_page(captured.out).keywords == ("f",)
    assert "a.py:1: is not Python" in captured.err
    assert "none.py" in captured.err


def test_ingest_takes_pages_and_lists_what_they_leave_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "m.py"
    source.write_text("def size(): ...\ndef of_nobody(): ...\n", encoding="utf-8")
    assert main(["extract", str(source)]) == 0
    page, broken, output = tmp_path / "m.md", tmp_path / "broken.md", tmp_path / "keywords"
    page.write_text(capsys.readouterr().out, encoding="utf-8")
    broken.write_text("nothing", encoding="utf-8")
    assert main(["ingest", str(broken), str(page), "--output", str(output)]) == 2
    captured = capsys.readouterr()
    assert "error: " in captured.err
    assert "broken.md:1: no keyword index" in captured.err
    assert "0 classes, 2 functions, 0 imports" in captured.out
    assert "  not accounted for: of_nobody\n" in captured.out
    assert "not accounted for: size" not in captured.out
    assert [index.keywords for index in read_keywords(output)] == [("of_nobody", "size")]


def test_ingest_of_a_page_of_the_specification_leaves_nothing_open(
    tmp_path: Path, page: str, index: KeywordIndex, suite: Path
) -> None:
    file = tmp_path / "page.md"
    file.write_text(page, encoding="utf-8")
    assert main(["ingest", str(file), "--output", str(tmp_path / "keywords")]) == 0
    assert read_keywords(tmp_path / "keywords") == (index,)


@pytest.mark.parametrize(
    "command", ["", "ingest", "extract", "check", "show", "generate", "explore"]
)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command.split(), "--help"])
    assert caught.value.code == 0
    assert "usage: python -m elastic_timer_spec" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["show"], ["ingest"], ["check", "--x"]])
def test_a_wrong_usage_has_status_two(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: " in capsys.readouterr().err


def opened_for_writing(pipe: Path, reader: subprocess.Popen[str]) -> int:
    """Open a named pipe to write, as soon as its reader has opened it."""
    end = time.monotonic() + SECONDS
    while True:
        assert reader.poll() is None, "the command ended before it read its page"
        assert time.monotonic() < end, "the command did not get to reading its page"
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        time.sleep(0.01)


def test_an_interrupt_ends_the_command_without_a_traceback(tmp_path: Path) -> None:
    """The page is a pipe that nobody writes to, so the command is sure to be waiting."""
    pipe = tmp_path / "page.md"
    os.mkfifo(pipe)
    command = [*COMMAND, "ingest", str(pipe), "--output", str(tmp_path / "keywords")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            writer = opened_for_writing(pipe, process)
            process.send_signal(signal.SIGINT)
            # Had the signal come just before the command began to wait, it would notice it only
            # when the wait is over; so end the wait, after the signal.
            os.close(writer)
            _, error = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert process.returncode == 130
    assert error == "interrupted\n"


def test_a_reader_that_stops_reading_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run(
        [*COMMAND, "show", "QUEUE-SIZE"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        timeout=SECONDS,
    )
    os.close(writer)
    assert (run.returncode, run.stderr) == (0, b"")


def test_an_output_that_cannot_show_a_character_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text("x = 0", encoding="utf-8")
    run = subprocess.run(
        [*COMMAND, "extract", str(file)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
        timeout=SECONDS,
    )
    assert b"\\u2192 Section Map" in run.stdout

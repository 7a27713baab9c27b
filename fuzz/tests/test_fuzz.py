"""The readers stand the streams, and a reader that does not would be found."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from elastic_timer.line_reader import LineReader

from fuzz import __main__ as command
from fuzz.check import fault, smallest
from fuzz.file_language import FILE
from fuzz.language import Kind, Language, Part
from fuzz.pipe_language import PIPE
from fuzz.stream import Stream, generate, pieces

ROOT = Path(__file__).parent.parent.parent
LANGUAGES = pytest.mark.parametrize("language", [FILE, PIPE], ids=lambda language: language.name)

# Streams in which each of the faults below is found several times over.
MANY = 3_000

Fed = tuple[list[Any], list[Any]]
Feed = Callable[[bytes], Fed]
WrongFeed = Callable[[Feed, bytes], Fed]


def broken(language: Language, feed: WrongFeed) -> Language:
    """Return a language whose reader does something else with the bytes that it is fed."""

    def reader() -> LineReader:
        right = language.reader()
        return cast(LineReader, SimpleNamespace(feed=lambda data: feed(right.feed, data)))

    return replace(language, reader=reader)


@LANGUAGES
def test_streams_are_read_as_they_should_be(language: Language) -> None:
    for number in range(500):
        assert fault(language, generate(language, 1, number)) is None, f"stream {number}"


@LANGUAGES
def test_a_stream_comes_from_its_seed_and_number(language: Language) -> None:
    assert generate(language, 1, 2) == generate(language, 1, 2)
    different = {generate(language, *which).data() for which in ((1, 2), (1, 3), (2, 2))}
    assert len(different) == 3


@LANGUAGES
def test_streams_have_everything_in_them(language: Language) -> None:
    streams = [generate(language, 1, number) for number in range(MANY)]
    kinds = {part.kind for stream in streams for part in stream.parts}
    assert kinds == set(Kind)
    data = [stream.data() for stream in streams]
    assert any(len(each) > 1 << 16 for each in data), "a line that is given up"
    assert any(b"\x00" in each for each in data)
    assert any(b"\xff" in each for each in data)
    assert any(stream.cuts[0] == 1 for stream in streams)


@LANGUAGES
def test_each_line_is_what_it_is_said_to_be(language: Language) -> None:
    rng = Random(1)
    for _ in range(MANY):
        line, request = language.line(rng)
        for data in (language.before + line, language.variant(rng, line)):
            requests, malformed = language.reader().feed(data + b"\n")
            assert not malformed
            assert list(map(language.everything, requests)) == [request]
        spoilt = language.spoilt(rng)
        requests, malformed = language.reader().feed(b"\n" + spoilt + b"\n")
        assert not requests, spoilt
        assert malformed, spoilt


def test_bytes_are_cut_and_nothing_is_lost() -> None:
    assert list(pieces(b"abcdefgh", (1, 3))) == [b"a", b"bcd", b"e", b"fgh"]
    assert list(pieces(b"", (1, 3))) == []


def give_up_halves(feed: Feed, data: bytes) -> Fed:
    return feed(data if data.endswith(b"\n") else data + b"\n")


def raise_at_nul(feed: Feed, data: bytes) -> Fed:
    if b"\x00\x00\x00\x00\x00\x00\x00\x00\x00" in data:
        raise IndexError("what is this")
    return feed(data)


def stop_at_what_is_malformed(feed: Feed, data: bytes) -> Fed:
    requests, malformed = feed(data)
    return [] if malformed else requests, malformed


def turn_around(feed: Feed, data: bytes) -> Fed:
    requests, malformed = feed(data)
    return requests[::-1], malformed


def say_twice(feed: Feed, data: bytes) -> Fed:
    requests, malformed = feed(data)
    return requests * 2, malformed


def cut_scopes(feed: Feed, data: bytes) -> Fed:
    requests, malformed = feed(data)
    for request in requests:
        request.scope_id = request.scope_id[:200]
    return requests, malformed


@LANGUAGES
@pytest.mark.parametrize(
    "feed",
    [
        give_up_halves,
        raise_at_nul,
        stop_at_what_is_malformed,
        turn_around,
        say_twice,
        cut_scopes,
    ],
)
def test_a_fault_is_found_and_its_stream_made_small(language: Language, feed: WrongFeed) -> None:
    wrong = broken(language, feed)
    streams = (generate(language, 1, number) for number in range(MANY))
    stream = next(stream for stream in streams if fault(wrong, stream))
    least = smallest(wrong, stream)
    assert fault(wrong, least)
    assert len(least.parts) <= 2
    assert fault(language, least) is None


def test_what_begins_on_an_unfinished_line_has_to_be_read() -> None:
    line, request = FILE.line(Random(1))
    half = Part(Kind.INVALID, b'{"version": 1, "pid"')
    stream = Stream((half, Part(Kind.VALID, line + b"\n", request)), (7,))
    assert fault(FILE, stream) is None
    lost = replace(stream, parts=(half, Part(Kind.VALID, line[1:] + b"\n", request)))
    assert "was lost" in (fault(FILE, lost) or "")


def test_the_command_tells_of_a_fault_and_reads_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(command.LANGUAGES, "file", broken(FILE, say_twice))
    assert command.main(["--times=1000", "--seed=5"]) == 1
    told = capsys.readouterr().out
    assert "seed 5" in told
    assert "The file reader has a fault: " in told
    again = told.strip().splitlines()[-1].partition("python -m fuzz ")[2].split()
    assert command.main(again) == 1
    assert capsys.readouterr().out == told
    monkeypatch.setitem(command.LANGUAGES, "file", FILE)
    assert command.main(again) == 0


def test_the_command_reads_all_streams_of_both_readers(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--times=50"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"file reader: 50 of 50 streams in [\d.]+ s: no fault", told)
    assert re.search(r"pipe reader: 50 of 50 streams in [\d.]+ s: no fault", told)


def test_an_interrupted_command_says_how_far_it_was() -> None:
    # Whoever runs this in the background may have it ignore the signal.
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from fuzz.__main__ import main; sys.exit(main(['--times=1000000000', '--reader=pipe']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "seed" in process.stdout.readline()
        assert "a second" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=60)  # it only has to end the stream it is at
    assert process.returncode == 2
    assert "of 1,000,000,000 streams" in told
    assert "interrupted; no fault until then" in told


@pytest.mark.parametrize("times", ["0", "-1", "many"])
def test_no_streams_are_an_error(times: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["--times", times])
    assert "--times" in capsys.readouterr().err


def test_what_is_read_from_damaged_lines_is_bounded() -> None:
    line, _ = PIPE.line(Random(1))
    framed = b"\n" + line + b"\n"
    once = Stream((Part(Kind.DOUBTFUL, framed),), (1 << 20,))
    assert fault(PIPE, once) is None
    too_many = replace(once, parts=(Part(Kind.INVALID, framed),))
    assert "0 requests were valid, and 1 were read" in (fault(PIPE, too_many) or "")

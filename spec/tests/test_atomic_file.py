"""A file is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from elastic_timer_spec.atomic_file import write_atomically


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_atomically(file, "→\n")
    assert file.read_bytes() == b"\xe2\x86\x92\n"
    assert file.stat().st_mode & 0o777 == 0o644


def test_the_mode_of_the_file_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.touch()
    file.chmod(0o600)
    write_atomically(file, "new")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_failure_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old", encoding="utf-8")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "x" * 100_000 + "\ud800")
    assert file.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "none" / "a.txt", "")

"""A table that somebody has damaged: it is told, the rest of it is served, and nothing raises."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path

import pytest
from elastic_timer.clock import Instant
from elastic_timer.shared_table import (
    FIRST_SLOT,
    MAPPED,
    SCOPE_STRIDE,
    SCOPES_AT,
    USED,
    MalformedTableError,
    table_name,
)
from elastic_timer.table_reader import TableReader
from elastic_timer.worker import WorkerId
from elastic_timer.worker_table import WorkerTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WORKER = WorkerId(123, 456)


def at(deadline: float) -> Instant:
    return Instant(1_000.0 + deadline, deadline)


class Damaged:
    """A table with the timers `a` and `b`, whose bytes can be written over."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / table_name(WORKER)
        self.table = WorkerTable(directory, WORKER, lambda: None)
        self.told: list[MalformedTableError] = []
        self.reader = TableReader(self.path, on_damage=self.told.append)
        self.table.arm("a", at(5.0))
        self.table.arm("b", at(6.0))

    def write(self, offset: int, data: bytes) -> None:
        with open(self.path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def write_word(self, word: int, value: float) -> None:
        self.write(8 * word, struct.pack("=d", value))

    def close(self) -> None:
        self.reader.close()
        self.table.close()


@pytest.fixture
def damaged(tmp_path):
    damaged = Damaged(tmp_path)
    yield damaged
    damaged.close()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_deadline_that_is_no_time_counts_as_released(damaged, value):
    damaged.reader.changes()
    damaged.write_word(FIRST_SLOT, value)
    assert damaged.reader.changes() == [("a", None)]
    assert damaged.reader.armed() == [("b", at(6.0))]
    assert damaged.reader.changes() == []
    (error,) = damaged.told
    assert str(error) == (
        f"the table of worker 123 is damaged: it has a deadline that is no time, {value!r}"
    )
    damaged.table.arm("a", at(7.0))
    assert damaged.reader.changes() == [("a", at(7.0))]


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_an_expiration_time_that_is_none_follows_from_the_deadline(damaged, value):
    damaged.write_word(FIRST_SLOT + 1, value)
    (first, second) = damaged.reader.changes()
    assert (first[0], first[1].monotonic) == ("a", 5.0)
    assert second == ("b", at(6.0))
    assert len(damaged.told) == 1


def test_a_scope_that_is_no_text_is_guarded_all_the_same(damaged):
    damaged.write(SCOPES_AT, b"\xff\xff" + b"\xfe" * 8)
    (first, second) = damaged.reader.changes()
    assert first[0].startswith("�")
    assert first[1] == at(5.0)
    assert second == ("b", at(6.0))
    damaged.table.disarm("a")
    assert damaged.reader.changes() == [(first[0], None)]
    assert len(damaged.told) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 1e9])
def test_a_number_of_slots_that_cannot_be_hides_none(damaged, value):
    damaged.write_word(USED, value)
    assert damaged.reader.changes() == [("a", at(5.0)), ("b", at(6.0))]
    assert len(damaged.told) == 1
    # The worker does not believe it either, and puts it right when it takes a slot.
    damaged.table.arm("c", at(7.0))
    assert damaged.reader.armed() == [("a", at(5.0)), ("b", at(6.0)), ("c", at(7.0))]
    assert damaged.table._words[USED] == 3


@pytest.mark.parametrize("length", [0, 8 * FIRST_SLOT, MAPPED, SCOPES_AT + SCOPE_STRIDE])
def test_a_file_that_was_cut_short_does_not_end_the_server(damaged, length):
    damaged.reader.changes()
    os.truncate(damaged.path, length)
    for _ in range(2):
        damaged.reader.changes()
        damaged.reader.bind(1.0)
        damaged.reader.armed()
    cut = length < 8 * (FIRST_SLOT + 4)
    assert [str(error).partition("it ")[2] for error in damaged.told] == [
        "has been cut short"
    ] * cut


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    writes=st.lists(
        st.tuples(
            st.integers(0, 8 * (FIRST_SLOT + 8)) | st.integers(SCOPES_AT, SCOPES_AT + 9000),
            st.binary(max_size=40),
        ),
        max_size=5,
    )
)
def test_no_bytes_make_the_reader_raise(tmp_path_factory, writes):
    damaged = Damaged(tmp_path_factory.mktemp("table"))
    try:
        damaged.reader.changes()
        for offset, data in writes:
            damaged.write(offset, data)
            for scope_id, expiration in damaged.reader.changes():
                assert isinstance(scope_id, str)
                assert expiration is None or 0 < expiration.monotonic < math.inf
            damaged.reader.bind(1.0)
            damaged.reader.armed()
    finally:
        damaged.close()


def test_what_is_not_a_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "7.8.timers")
    with pytest.raises(MalformedTableError, match="not a file"):
        TableReader(tmp_path / "7.8.timers")

"""Writing into a pipe: whole or not at all, and without waiting for ever."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
import time

import pytest
from elastic_timer.errors import RequestQueueFullError, RequestTooLargeError
from elastic_timer.pipe_writing import check_length, write_whole


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_what_fits_into_a_pipe_in_one_piece_may_be_written():
    check_length(b"x" * select.PIPE_BUF, "scope")
    with pytest.raises(RequestTooLargeError, match=r"4097 bytes.*4096.*'scope'… \(5 characters\)"):
        check_length(b"x" * (select.PIPE_BUF + 1), "scope")


def test_a_full_pipe_is_waited_for_and_then_refuses(pipe):
    reading, writing = pipe
    block = b"x" * select.PIPE_BUF
    blocks = fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ) // len(block)
    for _ in range(blocks):
        write_whole(writing, block, patience=0)
    start = time.monotonic()
    with pytest.raises(RequestQueueFullError, match=r"has not read its request pipe for 0\.05 s"):
        write_whole(writing, block, patience=0.05)
    assert time.monotonic() - start >= 0.05
    assert os.read(reading, 1 << 20) == block * blocks


PROGRAM = """
import os, signal
from elastic_timer.pipe_writing import write_whole
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
reading, writing = os.pipe()
write_whole(writing, b"x", 1.0)
os.close(reading)
try:
    write_whole(writing, b"x", 1.0)
except BrokenPipeError:
    print("told", signal.sigpending(), signal.pthread_sigmask(signal.SIG_BLOCK, ()), flush=True)
os.kill(os.getpid(), signal.SIGPIPE)
"""


def test_a_program_that_sigpipe_would_end_is_told_instead():
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert result.stdout == "told set() set()\n", result.stderr
    assert result.returncode == -signal.SIGPIPE  # and of the signal's other uses it is not spared

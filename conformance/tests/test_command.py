"""The command: what it accepts, and what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from elastic_timer_conformance.backend import Capability
from elastic_timer_conformance.backends import KNOWN
from elastic_timer_spec import load

# conftest.run: gives a conftest.Finished.
Run = Callable[..., Any]

# Seconds: far more than a process takes to start on a machine that is very busy.
ENOUGH = 120.0


def test_help(run: Run) -> None:
    done = run("--help")
    assert done.status == 0
    options = ("--backend", "--profile", "--requirement", "--layer", "--allowance")
    for option in (*options, "--report-json", "--report-html"):
        assert option in done.output


def test_list_backends(run: Run) -> None:
    done = run("--list-backends")
    assert done.status == 0
    assert [line.split()[0] for line in done.output.splitlines()] == list(KNOWN)


def test_without_a_backend_it_says_which_there_are(run: Run) -> None:
    done = run()
    assert done.status == 4
    assert "which backend?" in done.output
    assert "local" in done.output


@pytest.mark.parametrize(
    ("backend", "hint"),
    [
        ("locale", "Known ones: local, "),
        ("locale", "subclass elastic_timer_conformance.backend.Backend"),
        ("no_such_module:Backend", "No module named 'no_such_module'"),
        ("tiny_backends:NoSuchClass", "has no class 'NoSuchClass'"),
        ("tiny_backends:TinyQueue", "is not a subclass of"),
    ],
)
def test_an_unknown_backend_is_explained(run: Run, backend: str, hint: str) -> None:
    done = run("--backend", backend)
    assert done.status == 4
    assert hint in done.output


def test_an_unknown_requirement_is_explained(run: Run) -> None:
    done = run("--backend", "tiny_backends:TinyBackend", "--requirement", "QUEUE-SIZ")
    assert done.status == 4
    assert "Did you mean QUEUE-SIZE" in done.output


def test_it_judges_one_requirement(run: Run) -> None:
    done = run("--backend", "tiny_backends:TinyBackend", "--requirement", "QUEUE-SIZE")
    assert done.status == 0, done.output
    assert done.verdict("QUEUE-SIZE") == "conforms"
    assert [entry["id"] for entry in done.report["requirements"]] == ["QUEUE-SIZE"]
    assert done.report["command"] == (
        "python -m elastic_timer_conformance --backend tiny_backends:TinyBackend "
        "--requirement QUEUE-SIZE"
    )


def test_a_wrong_queue_is_found(run: Run) -> None:
    done = run(
        *("--backend", "tiny_backends:ForgetfulBackend", "--requirement", "QUEUE-SIZE"),
        *("--allowance", "0.1"),
    )
    assert done.status == 1
    assert done.verdict("QUEUE-SIZE") == "violates"
    assert "5 requests were sent, and size() is 0 0.1 s later" in done.output
    assert "--allowance 0.1 --requirement QUEUE-SIZE -k test_size\n" in done.output


def test_it_writes_a_page(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "new" / "report.html"
    done = run(
        *("--backend", "tiny_backends:TinyBackend", "--requirement", "QUEUE-SIZE"),
        *("--report-html", str(page)),
    )
    assert done.status == 0, done.output
    assert '<details id="QUEUE-SIZE" class="conforms">' in page.read_text("utf-8")


def test_a_server_that_does_not_reap_is_found_and_nothing_is_left(run: Run) -> None:
    done = run(
        *("--backend", "tiny_backends:MercifulBackend", "--requirement", "PROCESS-REAPS-HUNG"),
        *("--allowance", "0.5"),
    )
    assert done.status == 1
    assert done.verdict("PROCESS-REAPS-HUNG") == "violates"
    assert "is alive" in done.output
    assert "it wrote ['entered']" in done.output


def test_other_options_are_pytests(run: Run) -> None:
    done = run("--backend", "tiny_backends:TinyBackend", "-k", "test_get_from", "--collect-only")
    assert done.status == 0
    assert "test_get_from_an_empty_queue" in done.output
    assert "against specification" not in done.output
    assert "test_size" not in done.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing_behind(
    tmp_path: Path, marked: Any, number: signal.Signals
) -> None:
    said = tmp_path / "output"
    command = [sys.executable, "-m", "elastic_timer_conformance", "--allowance", str(ENOUGH)]
    command += ["--backend", "tiny_backends:MercifulBackend", "-k", "test_hung_worker_is_reaped"]
    with said.open("wb") as output:
        # In a group of its own, as at a terminal, where Ctrl-C reaches the whole group.
        process = subprocess.Popen(
            command, env=marked.environment, stdout=output, stderr=output, process_group=0
        )
    # pytest, the janitor, the host, multiprocessing's two helpers, and the worker.
    end = time.monotonic() + ENOUGH
    while len(marked.alive()) < 6:
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < end, said.read_text()
        time.sleep(0.02)
    os.killpg(process.pid, number)
    process.wait(ENOUGH)
    if number == signal.SIGINT:
        assert process.returncode == 2
    marked.wait_until_none()


def test_every_known_backend_has_an_adapter() -> None:
    for place in KNOWN.values():
        module = place.partition(":")[0]
        if "torch" not in module:
            import_module(module)
        assert (
            Path(import_module("elastic_timer_conformance.backends").__path__[0])
            .joinpath(module.rpartition(".")[2] + ".py")
            .exists()
        )


def test_every_capability_of_the_specification_can_be_claimed() -> None:
    named = {entry.capability for entry in load().requirements.values()} - {None}
    assert named <= set(map(str, Capability))

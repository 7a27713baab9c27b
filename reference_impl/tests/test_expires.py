"""What ``expires`` tells its client, block by block."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time

import pytest
from elastic_timer import TimerClient, configure, expires
from elastic_timer.blocks import _innermost
from elastic_timer.clock import Instant


class Recorder(TimerClient):
    """A client that remembers what it was told, with the seconds from then to each deadline."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def acquire(self, scope_id, expiration_time):
        assert type(expiration_time) is Instant
        after = expiration_time.monotonic - time.monotonic()
        self.calls.append(("acquire", scope_id, round(after)))

    def release(self, scope_id):
        self.calls.append(("release", scope_id))


class Failing(Recorder):
    def release(self, scope_id):
        raise OSError("the pipe is gone")


@pytest.fixture
def client():
    recorder = Recorder()
    configure(recorder)
    yield recorder
    assert not _innermost, "every block that was entered was left"


def line_here() -> int:
    import sys

    return sys._getframe(1).f_lineno


def test_a_block_is_one_acquire_and_one_release(client):
    with expires(after=10, scope="step"):
        assert client.calls == [("acquire", "step", 10)]
    assert client.calls[1:] == [("release", "step")]


def test_a_given_client_is_used_in_place_of_the_configured_one(client):
    given = Recorder()
    with expires(10, "step", given):
        pass
    assert len(given.calls) == 2
    assert client.calls == []


def test_without_a_client_entering_fails_and_says_what_to_do():
    with pytest.raises(RuntimeError, match=r"call configure\(client\)"), expires(after=10):
        pytest.fail("the block must not run")


def test_the_default_scope_is_the_file_and_line_of_the_call(client):
    line = line_here() + 1
    with expires(after=10):
        pass
    assert client.calls[0][1] == f"{__file__}#{line}"


def test_the_default_scope_is_the_callers_also_through_an_exit_stack(client):
    with contextlib.ExitStack() as stack:
        line = line_here() + 1
        stack.enter_context(expires(after=10))
    assert client.calls[0][1] == f"{__file__}#{line}"


def test_an_inner_block_elsewhere_leaves_the_outer_timer_alone(client):
    with expires(after=10), expires(after=5, scope="inner"):
        pass
    outer = client.calls[0][1]
    assert client.calls[1:] == [("acquire", "inner", 5), ("release", "inner"), ("release", outer)]


def test_an_inner_block_of_the_same_scope_ends_by_arming_the_outer_again(client):
    with expires(after=100, scope="s"):
        with expires(after=10, scope="s"):
            pass
        assert client.calls[-1] == ("acquire", "s", 100)
    assert [call[0] for call in client.calls] == ["acquire", "acquire", "acquire", "release"]


def test_recursion_re_acquires_one_timer(client):
    def recurse(depth):
        if depth:
            with expires(after=depth):
                recurse(depth - 1)

    recurse(3)
    assert len({call[1] for call in client.calls}) == 1
    afters = [call[2] if call[0] == "acquire" else None for call in client.calls]
    assert afters == [3, 2, 1, 2, 3, None]


def test_threads_have_default_timers_of_their_own(client):
    inside = threading.Barrier(2, timeout=30)

    def work():
        with expires(after=10):
            inside.wait()
            inside.wait()

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    other = client.calls[0][1]
    client.calls.clear()
    work_line = other.split("@")[0]
    inside.wait()
    thread.join(30)
    assert "@thread-" in other
    assert work_line.startswith(f"{__file__}#")
    assert client.calls == [("release", other)]


def test_threads_that_share_an_explicit_scope_keep_it_armed_until_the_last_leaves(client):
    first_in, second_left = threading.Event(), threading.Event()

    def work():
        with expires(after=100, scope="shared"):
            first_in.set()
            second_left.wait(30)

    thread = threading.Thread(target=work)
    thread.start()
    first_in.wait(30)
    with expires(after=10, scope="shared"):
        pass
    assert client.calls[-1] == ("acquire", "shared", 100)
    second_left.set()
    thread.join(30)
    assert client.calls[-1] == ("release", "shared")


def test_a_block_that_is_left_before_a_later_one_of_its_scope_keeps_the_laters_timer(client):
    first, second = expires(10, "s"), expires(20, "s")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert client.calls == [("acquire", "s", 10), ("acquire", "s", 20)]
    second.__exit__(None, None, None)
    assert client.calls[2:] == [("release", "s")]


def test_tasks_have_default_timers_of_their_own(client):
    async def work(inside):
        async with expires(after=10):
            await inside.wait()

    async def both():
        inside = asyncio.Barrier(2)
        await asyncio.gather(work(inside), work(inside))

    asyncio.run(both())
    acquired = [call[1] for call in client.calls if call[0] == "acquire"]
    released = [call[1] for call in client.calls if call[0] == "release"]
    assert len(set(acquired)) == 2
    assert sorted(released) == sorted(acquired)
    assert all("@task-" in scope for scope in acquired)


def test_the_blocks_exception_passes_unchanged_and_the_timer_is_released(client):
    error = KeyError("mine")
    with pytest.raises(KeyError) as caught, expires(after=10, scope="s"):
        raise error
    assert caught.value is error
    assert client.calls[-1] == ("release", "s")


def test_a_failing_release_does_not_hide_the_blocks_exception(caplog):
    configure(Failing())
    with pytest.raises(KeyError), expires(after=10, scope="s"):
        raise KeyError("mine")
    assert "could not release the timer 's'" in caplog.text


def test_a_failing_release_is_told_when_the_block_ended_well():
    configure(Failing())
    with pytest.raises(OSError, match="the pipe is gone"), expires(after=10, scope="s"):
        pass
    assert not _innermost


def test_a_failing_acquire_leaves_nothing_behind():
    class Broken(Recorder):
        def acquire(self, scope_id, expiration_time):
            raise OSError("no server")

    configure(Broken())
    with pytest.raises(OSError, match="no server"), expires(after=10, scope="s"):
        pytest.fail("the block must not run")
    assert not _innermost


@pytest.mark.parametrize("after", [float("nan"), float("inf"), "5", None])
def test_what_is_no_time_is_refused_before_anything_is_sent(client, after):
    with pytest.raises((ValueError, TypeError)), expires(after=after, scope="s"):
        pytest.fail("the block must not run")
    assert client.calls == []


@pytest.mark.parametrize("after", [0, -1, -1e12])
def test_a_time_that_is_over_acquires_a_timer_that_has_expired(after):
    class Past(Recorder):
        def acquire(self, scope_id, expiration_time):
            assert expiration_time >= 0, "negative would be a release"
            assert expiration_time.monotonic <= time.monotonic()
            super().acquire(scope_id, expiration_time)

    past = Past()
    with expires(after=after, scope="s", client=past):
        pass
    assert [call[0] for call in past.calls] == ["acquire", "release"]


def test_one_object_guards_one_block_at_a_time(client):
    block = expires(after=10, scope="s")
    with block, pytest.raises(RuntimeError, match="make one for each block"), block:
        pytest.fail("the inner block must not run")
    with block:
        pass
    assert [call[0] for call in client.calls] == ["acquire", "release"] * 2


def test_leaving_a_block_that_was_never_entered_does_nothing(client):
    expires(after=10).__exit__(None, None, None)
    assert client.calls == []


def test_it_decorates_functions_and_keeps_their_face(client):
    line = line_here() + 2

    @expires(after=10)
    def double(number: int) -> int:
        """Twice."""
        return double(number - 1) + 2 if number else 0

    assert double(2) == 4
    assert (double.__name__, double.__doc__) == ("double", "Twice.")
    assert {call[1] for call in client.calls} == {f"{__file__}#{line}"}
    kinds = [call[0] for call in client.calls]
    assert kinds == ["acquire"] * 5 + ["release"]  # three calls deep, two re-armed on the way out


def test_it_decorates_coroutine_functions(client):
    @expires(after=10, scope="s")
    async def work() -> str:
        await asyncio.sleep(0)
        assert client.calls == [("acquire", "s", 10)]
        return "done"

    assert asyncio.run(work()) == "done"
    assert client.calls[-1] == ("release", "s")


def test_it_refuses_generator_functions_and_says_what_to_do():
    def steps():
        yield 1

    with pytest.raises(TypeError, match=r"steps.*use 'with expires"):
        expires(after=10)(steps)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["alone", "beside a thread in the scope"])
def test_a_forked_child_leaves_the_blocks_it_is_in_and_knows_of_no_others(elsewhere):
    """What the child tells its client is reported by its exit status."""
    recorder = Recorder()
    done = threading.Event()
    inside = threading.Event()

    def hold():
        with expires(after=100, scope="shared", client=recorder):
            inside.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    if elsewhere:
        thread.start()
        inside.wait(30)
    with expires(after=10, scope="shared", client=recorder):
        child = os.fork()
        if child == 0:
            recorder.calls.clear()
    if child == 0:
        with expires(after=10, scope="shared", client=recorder):
            pass
        expected = [("release", "shared"), ("acquire", "shared", 10), ("release", "shared")]
        os._exit(0 if recorder.calls == expected else 1)
    _, status = os.waitpid(child, 0)
    done.set()
    if elsewhere:
        thread.join(30)
    assert os.waitstatus_to_exitcode(status) == 0

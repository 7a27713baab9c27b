"""EXPIRES, robust profile: decorated functions whose body runs after the call has returned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from elastic_timer_conformance.requirement import not_applicable, requirement

Decorate = Callable[..., Any]


@pytest.fixture
def decorate(expires: Any, client: Any) -> Decorate:
    """Decorates a function so that each call is a block of the scope `scope`."""
    decorator: Decorate = expires(after=60, scope="scope", client=client)
    if not callable(decorator):
        not_applicable("expires is no decorator, which it need not be")
    return decorator


@requirement("EXPIRES-DECORATOR-BODY@4412b0a8")
def test_a_coroutine_function_is_guarded_as_a_whole(decorate: Decorate, client: Any) -> None:
    async def add(left: int, right: int = 0) -> int:
        assert "scope" in client.armed, "the body is not guarded"
        await asyncio.sleep(0)
        assert "scope" in client.armed, "the body is not guarded after it has waited"
        return left + right

    guarded = decorate(add)
    assert client.calls == []
    assert asyncio.run(guarded(1, right=2)) == 3
    assert client.armed == {}
    assert asyncio.run(guarded(3, 4)) == 7
    assert [name for name, *_ in client.calls] == ["acquire", "release"] * 2


@requirement("EXPIRES-DECORATOR@db302fdd")
def test_a_coroutine_function_keeps_its_name_and_docstring(decorate: Decorate) -> None:
    async def add() -> None:
        """Add what there is."""

    guarded = decorate(add)
    assert guarded.__name__ == "add", "a coroutine function has lost its name"
    assert guarded.__doc__ == "Add what there is.", "a coroutine function has lost its docstring"


@requirement("EXPIRES-DECORATOR-BODY@4412b0a8")
def test_what_a_coroutine_function_raises_is_kept(decorate: Decorate, client: Any) -> None:
    error = ValueError("out of the body")

    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(ValueError, match="out of the body") as caught:
        asyncio.run(decorate(fail)())
    assert caught.value is error
    assert client.armed == {}


@requirement("EXPIRES-DECORATOR-BODY@4412b0a8")
def test_a_generator_function_is_guarded_or_refused(decorate: Decorate, client: Any) -> None:
    def count() -> Iterator[int]:
        assert "scope" in client.armed, "decorated without a word, and not guarded"
        yield 1
        assert "scope" in client.armed, "not guarded after the first value"

    try:
        guarded = decorate(count)
    except TypeError:
        return
    assert list(guarded()) == [1]
    assert client.armed == {}


@requirement("EXPIRES-DECORATOR-BODY@4412b0a8")
def test_an_asynchronous_generator_function_is_guarded_or_refused(
    decorate: Decorate, client: Any
) -> None:
    async def count() -> AsyncIterator[int]:
        assert "scope" in client.armed, "decorated without a word, and not guarded"
        yield 1
        assert "scope" in client.armed, "not guarded after the first value"

    async def consume() -> list[int]:
        return [number async for number in guarded()]

    try:
        guarded = decorate(count)
    except TypeError:
        return
    assert asyncio.run(consume()) == [1]
    assert client.armed == {}

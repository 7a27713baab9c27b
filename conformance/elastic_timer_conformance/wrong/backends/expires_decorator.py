"""Wrong `expires`: as a decorator."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from elastic_timer import expires as right

from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.namespace import WithExpires

P = ParamSpec("P")
R = TypeVar("R")


def _returns_before_its_body(function: Callable[P, R]) -> bool:
    return (
        inspect.iscoroutinefunction(function)
        or inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
    )


class _CountsFromDecoration(right):
    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if _returns_before_its_body(function):
            return super().__call__(function)
        decorated = time.monotonic()

        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            left = self.after - (time.monotonic() - decorated)
            with right(left, self._scope, self._client):
                return function(*args, **kwargs)

        return guarded


@breaks("EXPIRES-DECORATOR", seen="counts from before the call")
class CountsFromDecoration(WithExpires):
    """Every call of a decorated function has what is left since it was decorated."""

    expires_class = _CountsFromDecoration


class _LosesTheName(right):
    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        guarded = super().__call__(function)
        guarded.__name__ = "guarded"
        return guarded


@breaks("EXPIRES-DECORATOR", seen="has lost its name")
class LosesTheName(WithExpires):
    """A decorated function has the name of what it was wrapped in."""

    expires_class = _LosesTheName


class _LosesTheNameOfCoroutines(right):
    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        guarded = super().__call__(function)
        if inspect.iscoroutinefunction(function):
            guarded.__name__ = "guarded"
        return guarded


@breaks("EXPIRES-DECORATOR", seen="a coroutine function has lost its name")
class LosesTheNameOfCoroutines(WithExpires):
    """A decorated coroutine function has the name of what it was wrapped in."""

    expires_class = _LosesTheNameOfCoroutines


class _GuardsTheCall(right):
    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._again():
                return function(*args, **kwargs)

        return guarded


@breaks("EXPIRES-DECORATOR-BODY", seen="the body is not guarded")
class GuardsTheCallAlone(WithExpires):
    """A decorated coroutine function is guarded while it is called, and not while it is awaited."""

    expires_class = _GuardsTheCall


class _GuardsTheCallOfGenerators(_GuardsTheCall):
    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if not inspect.isgeneratorfunction(function):
            return right.__call__(self, function)
        return _GuardsTheCall.__call__(self, cast(Callable[P, R], function))


@breaks("EXPIRES-DECORATOR-BODY", seen="decorated without a word, and not guarded")
class DecoratesGenerators(WithExpires):
    """A generator function is decorated like any other, and its body is not guarded."""

    expires_class = _GuardsTheCallOfGenerators

"""Wrong `expires`: as a decorator."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from elastic_timer import expires as right

from elastic_timer_conformance.backends.local import LocalBackend
from elastic_timer_conformance.wrong.breach import breaks
from elastic_timer_conformance.wrong.namespace import elastic_timer_with

P = ParamSpec("P")
R = TypeVar("R")


class _GuardsTheCall(right):
    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._again():
                return function(*args, **kwargs)

        return guarded


@breaks("EXPIRES-DECORATOR-BODY", seen="the body is not guarded")
class GuardsTheCallAlone(LocalBackend):
    """A decorated coroutine function is guarded while it is called, and not while it is awaited."""

    @property
    def api(self) -> Any:
        return elastic_timer_with(expires=_GuardsTheCall)

"""A namespace to be judged in which some names stand for something wrong."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import SimpleNamespace
from typing import Any, ClassVar

import elastic_timer
from elastic_timer import TimerClient

from elastic_timer_conformance.backends.local import LocalBackend

__all__ = ["WithExpires", "WithNames", "client_of", "configured_client", "elastic_timer_with"]

_NAMES = ("TimerRequest", "TimerClient", "RequestQueue", "TimerServer", "configure", "expires")


def elastic_timer_with(**replaced: Any) -> Any:
    """Return the namespace of `elastic_timer` with these names replaced."""
    names = {name: getattr(elastic_timer, name) for name in _NAMES}
    return SimpleNamespace(**{**names, **replaced})


def configured_client() -> TimerClient | None:
    """Return the client that `configure` has set."""
    # In the package, the class of this name hides its module.
    client: TimerClient | None = import_module("elastic_timer.expires")._configured
    return client


def client_of(block: elastic_timer.expires) -> TimerClient:
    """Return the client of a block that has been entered."""
    client = block._client or configured_client()
    assert client is not None
    return client


class WithNames(LocalBackend):
    """A backend in whose namespace the names that its class is made with stand for those values."""

    names: ClassVar[Mapping[str, Any]]

    def __init_subclass__(cls, **names: Any) -> None:
        super().__init_subclass__()
        cls.names = names

    @property
    def api(self) -> Any:
        return elastic_timer_with(**self.names)


class WithExpires(LocalBackend):
    """A backend of which nothing but `expires` is another one."""

    expires_class: ClassVar[type[elastic_timer.expires]]

    @property
    def api(self) -> Any:
        return elastic_timer_with(expires=self.expires_class)

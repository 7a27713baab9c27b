"""A backend of which nothing but the clients are other ones."""

from __future__ import annotations

from typing import Any, ClassVar

from elastic_timer import LocalTimerClient

from elastic_timer_conformance.backends.local import LocalBackend

__all__ = ["WithClient"]


class WithClient(LocalBackend):
    """Hands out clients of another class."""

    client_class: ClassVar[type[LocalTimerClient]]

    def client(self, server: Any) -> Any:
        return self.client_class(server.client()._mp_queue)

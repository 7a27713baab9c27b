"""The backends that the suite knows by name, and how one is found by name or by class.

An adapter is imported when it is asked for: one whose implementation is not installed stands in
nobody's way.
"""

from __future__ import annotations

import importlib

from elastic_timer_conformance.backend import Backend

__all__ = ["KNOWN", "UnknownBackendError", "load_backend", "name_of"]

KNOWN = {
    "local": "elastic_timer_conformance.backends.local:LocalBackend",
    "local-mp-queue": "elastic_timer_conformance.backends.local_mp_queue:LocalMpQueueBackend",
    "shared-memory": "elastic_timer_conformance.backends.shared_memory:SharedMemoryBackend",
    "file": "elastic_timer_conformance.backends.file:FileBackend",
    "torch-local": "elastic_timer_conformance.backends.torch_local:TorchLocalBackend",
    "torch-file": "elastic_timer_conformance.backends.torch_file:TorchFileBackend",
}


class UnknownBackendError(ValueError):
    """There is no such backend, or it could not be imported; the message says what to do."""


def load_backend(spec: str) -> Backend:
    """Return a new instance of the backend that `spec` names: a known name or `module:Class`.

    Raises UnknownBackendError when there is none.
    """
    module_name, colon, class_name = KNOWN.get(spec, spec).partition(":")
    if not colon:
        raise UnknownBackendError(
            f"there is no backend {spec!r}. Known ones: {', '.join(KNOWN)}. "
            "To judge your own, subclass elastic_timer_conformance.backend.Backend "
            "and name it as --backend yourpackage.yourmodule:YourBackend."
        )
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except ImportError as error:
        raise UnknownBackendError(
            f"the backend {spec!r} could not be imported ({error}). "
            f"Is its implementation installed beside the suite?"
        ) from error
    except AttributeError as error:
        raise UnknownBackendError(f"{module_name!r} has no class {class_name!r}") from error
    if not (isinstance(found, type) and issubclass(found, Backend)):
        raise UnknownBackendError(
            f"{module_name}:{class_name} is not a subclass of "
            "elastic_timer_conformance.backend.Backend"
        )
    return found()


def name_of(backend: Backend) -> str:
    """Return what the command line knows a backend by: its known name, or `module:Class`."""
    place = f"{type(backend).__module__}:{type(backend).__qualname__}"
    return {known: name for name, known in KNOWN.items()}.get(place, place)

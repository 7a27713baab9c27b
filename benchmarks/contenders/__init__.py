"""Who is measured. A contender's module is imported only in the process that measures it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from .contender import FAR_AWAY, Backend, Contender, Side

__all__ = [
    "CONTENDERS",
    "FAR_AWAY",
    "Backend",
    "Contender",
    "Entry",
    "Side",
    "make",
    "make_backend",
]


class Entry(NamedTuple):
    """A contender as tables and plots name it, and where its class is."""

    label: str
    side: Side
    module: str
    type_name: str


# In the order of tables and plots.
CONTENDERS = {
    "shared-memory": Entry("shared memory", Side.OURS, "ours", "SharedMemory"),
    "local": Entry("local", Side.OURS, "ours", "Local"),
    "file": Entry("file", Side.OURS, "ours", "File"),
    "torch-local": Entry("PyTorch local", Side.PYTORCH, "pytorch", "TorchLocal"),
    "torch-file": Entry("PyTorch file", Side.PYTORCH, "pytorch", "TorchFile"),
    "faulthandler": Entry("faulthandler", Side.OTHER, "alternatives", "Faulthandler"),
    "setitimer": Entry("signal.setitimer", Side.OTHER, "alternatives", "SetItimer"),
    "empty-contextmanager": Entry(
        "empty @contextmanager", Side.FLOOR, "alternatives", "EmptyContextManager"
    ),
    "empty-class": Entry("empty class", Side.FLOOR, "alternatives", "EmptyClass"),
}


def make(name: str, directory: Path) -> Contender:
    """Return a contender, ready to be used in this process.

    Args:
        name: a key of :data:`CONTENDERS`.
        directory: an empty directory of its own, for pipes and tables.
    """
    entry = CONTENDERS[name]
    module = import_module(f".{entry.module}", __name__)
    contender = getattr(module, entry.type_name)(directory)
    assert isinstance(contender, Contender)
    return contender


def make_backend(name: str, directory: Path) -> Backend:
    """Return a contender that has a server; see :func:`make`."""
    backend = make(name, directory)
    if not isinstance(backend, Backend):
        raise TypeError(f"{name} has no server")
    return backend

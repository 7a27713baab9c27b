"""Texts without what they say of where things are on this machine: results are published."""

from __future__ import annotations

import re
import sys
import sysconfig
import tempfile
from pathlib import Path

__all__ = ["without_places"]

_ROOT = Path(__file__).parent.parent.parent

_PATH = re.compile(r"(?<![\w.~/-])(?:/[^\s/'\"`:,;()\[\]{}<>]+)+")
"""An absolute path, and not the end of a relative one, of a unit (``1/s``) or of an address."""

_SAME_EVERYWHERE = ("/proc/", "/dev/null")


def without_places(text: str) -> str:
    """Return a text in which paths begin at this checkout, or where packages are installed.

    Of other absolute paths it keeps the last name.
    """
    for place in _places():
        text = text.replace(f"{place}/", "")
    return _PATH.sub(_name, text)


def _places() -> list[str]:
    """Return the directories to leave out, one that is inside another before it.

    They may have blanks in their names, so that no pattern would find where they end.
    """
    found = {
        _ROOT,
        # Above site-packages and above lib/python3.11: so these are told apart.
        *(Path(sysconfig.get_path(name)).parent for name in ("purelib", "platlib")),
        Path(sysconfig.get_path("stdlib")).parent.parent,
        Path(sys.executable).parent,
        Path(tempfile.gettempdir()),
        Path.home(),
    }
    return sorted((str(place) for place in found if place.name), key=len, reverse=True)


def _name(path: re.Match[str]) -> str:
    whole = path.group()
    return whole if whole.startswith(_SAME_EVERYWHERE) else whole.rpartition("/")[2]

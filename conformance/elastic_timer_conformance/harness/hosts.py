"""A pool of host processes, so that a test that disturbs nothing need not wait for a new one."""

from __future__ import annotations

import itertools
from pathlib import Path

from elastic_timer_conformance.allowance import Allowance
from elastic_timer_conformance.harness.death import adopt_orphans
from elastic_timer_conformance.harness.janitor import Janitor
from elastic_timer_conformance.harness.processes import Host

__all__ = ["Hosts"]


class Hosts:
    """Lends hosts for the length of a test, and ends them all when the run is over."""

    def __init__(self, spec: str, directory: Path, allowance: Allowance) -> None:
        self._spec = spec
        self._directory = directory
        self._allowance = allowance
        self._janitor = Janitor()
        self._free: dict[str, Host] = {}
        self._numbers = itertools.count(1)
        adopt_orphans()

    def borrow(self, start_method: str) -> Host:
        """Return a host, as good as new, whose workers are started by this method."""
        free = self._free.pop(start_method, None)
        if free is not None and free.is_alive:
            return free
        if free is not None:
            free.close()
        log = self._directory / f"host-{next(self._numbers)}.log"
        return Host(self._spec, start_method, log, self._allowance, self._janitor)

    def give_back(self, host: Host) -> None:
        """Take back a host, in whatever state a test has left it."""
        if host.start_method in self._free or not host.is_alive or not host.clean_up():
            host.close()
        else:
            self._free[host.start_method] = host

    def close(self) -> None:
        """End every host that is not lent."""
        for host in self._free.values():
            host.close()
        self._free.clear()
        self._janitor.close()

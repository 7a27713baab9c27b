"""A pool of host processes, so that a test that disturbs nothing need not wait for a new one."""

from __future__ import annotations

import itertools
from collections import defaultdict
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
        self._free: defaultdict[str, list[Host]] = defaultdict(list)
        self._numbers = itertools.count(1)
        adopt_orphans()

    def borrow(self, start_method: str) -> Host:
        """Return a host, as good as new, whose workers are started by this method."""
        free = self._free[start_method]
        while free:
            host = free.pop()
            if host.is_alive:
                return host
            host.close()
        log = self._directory / f"host-{next(self._numbers)}.log"
        return Host(self._spec, start_method, log, self._allowance, self._janitor)

    def give_back(self, host: Host) -> None:
        """Take back a host, in whatever state a test has left it."""
        if host.is_alive and host.clean_up():
            self._free[host.start_method].append(host)
        else:
            host.close()

    def close(self) -> None:
        """End every host that is not lent."""
        for host in itertools.chain(*self._free.values()):
            host.close()
        self._free.clear()
        self._janitor.close()

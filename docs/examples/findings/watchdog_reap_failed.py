"""Let reaping a worker fail. Nothing is signalled."""

import os
import tempfile
import time

from torch.distributed.elastic import timer

attempts = []


class FailingServer(timer.FileTimerServer):
    def _reap_worker(self, worker_pid, signal):
        attempts.append(worker_pid)
        return False


path = os.path.join(tempfile.mkdtemp(), "pipe")
server = FailingServer(path, "run", max_interval=0.1)
server.start()
timer.FileTimerClient(path).acquire("scope", time.time() - 1)
time.sleep(3)  # some thirty watchdogs
timers = server.get_expired_timers(float("inf"))
print(f"attempts to reap the worker: {len(attempts)}; its timers: {len(timers)}")
server.stop()

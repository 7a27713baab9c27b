"""Give a server no time to wait for requests."""

import multiprocessing
import time

from torch.distributed.elastic import timer


class Counting(timer.LocalTimerServer):
    watchdogs = 0

    def _run_watchdog(self):
        self.watchdogs += 1
        super()._run_watchdog()


server = Counting(multiprocessing.Queue(), max_interval=0)
server.start()
time.sleep(1)
server.stop()
print(f"more than 100 watchdogs in a second: {server.watchdogs > 100}")

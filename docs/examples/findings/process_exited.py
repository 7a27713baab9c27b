"""Let a worker exit inside of a block."""

import multiprocessing
import os
import time

from torch.distributed.elastic import timer

mp = multiprocessing.get_context("fork")


def crash(mp_queue):
    timer.configure(timer.LocalTimerClient(mp_queue))
    with timer.expires(after=3600, scope="epoch"):
        time.sleep(0.5)  # the request is sent by a thread of this process
        os._exit(1)


def main():
    mp_queue = mp.Queue()
    process = mp.Process(target=crash, args=(mp_queue,))
    process.start()
    server = timer.LocalTimerServer(mp_queue, max_interval=0.1)
    server.start()
    process.join()
    time.sleep(2)
    timers = server.get_expired_timers(float("inf"))
    scopes = [request.scope_id for request in timers.get(process.pid, [])]
    print(f"timers of a worker that exited 2 s ago: {scopes}")


if __name__ == "__main__":
    main()

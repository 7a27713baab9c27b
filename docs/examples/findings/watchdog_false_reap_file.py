"""Leave a block in time, on an idle machine."""

import multiprocessing
import os
import tempfile
import time

from torch.distributed.elastic import timer

mp = multiprocessing.get_context("fork")
AFTER = 0.8  # seconds


def serve(path):
    timer.FileTimerServer(path, "run", max_interval=1).start()
    time.sleep(3600)


def healthy(path, took):
    timer.configure(timer.FileTimerClient(path))
    start = time.monotonic()
    with timer.expires(after=AFTER):
        time.sleep(0.1)
    took.value = time.monotonic() - start
    time.sleep(3)


def main():
    path = os.path.join(tempfile.mkdtemp(), "pipe")
    server = mp.Process(target=serve, args=(path,))  # its own, since it ends its process
    server.start()
    while not os.path.exists(path):
        time.sleep(0.01)
    took = mp.Value("d")
    process = mp.Process(target=healthy, args=(path, took))
    process.start()
    process.join()
    print(f"left its block in time: {0 < took.value < AFTER}; exit code {process.exitcode}")
    server.kill()


if __name__ == "__main__":
    main()

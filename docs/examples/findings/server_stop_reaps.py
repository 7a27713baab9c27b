"""Stop the server after a worker has left its block in time."""

import multiprocessing
import os
import tempfile
import time

from torch.distributed.elastic import timer

mp = multiprocessing.get_context("fork")
AFTER = 0.6  # seconds


def serve(path, stop):
    server = timer.FileTimerServer(path, "run", max_interval=3)
    server.start()
    stop.wait()
    server.stop()


def healthy(path, stop, took):
    timer.configure(timer.FileTimerClient(path))
    start = time.monotonic()
    with timer.expires(after=AFTER):
        time.sleep(0.1)
    took.value = time.monotonic() - start
    time.sleep(0.6)  # past the end of its timer
    stop.set()
    time.sleep(3)


def main():
    path = os.path.join(tempfile.mkdtemp(), "pipe")
    stop, took = mp.Event(), mp.Value("d")
    server = mp.Process(target=serve, args=(path, stop))  # its own, since it ends its process
    server.start()
    while not os.path.exists(path):
        time.sleep(0.01)
    process = mp.Process(target=healthy, args=(path, stop, took))
    process.start()
    process.join()
    print(f"left its block in time: {0 < took.value < AFTER}; exit code {process.exitcode}")
    server.kill()


if __name__ == "__main__":
    main()

"""Let a worker hang, and look at the server's process."""

import multiprocessing
import os
import tempfile
import time

from torch.distributed.elastic import timer

mp = multiprocessing.get_context("fork")


def serve(path):
    timer.FileTimerServer(path, "run", max_interval=0.1).start()
    time.sleep(10)


def hang(path):
    timer.configure(timer.FileTimerClient(path))
    with timer.expires(after=0.5):
        time.sleep(3600)


def main():
    path = os.path.join(tempfile.mkdtemp(), "pipe")
    server = mp.Process(target=serve, args=(path,))
    server.start()
    while not os.path.exists(path):
        time.sleep(0.01)
    process = mp.Process(target=hang, args=(path,))
    process.start()
    process.join()
    server.join()
    print(f"worker: exit code {process.exitcode}; server: exit code {server.exitcode}")


if __name__ == "__main__":
    main()

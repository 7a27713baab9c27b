"""Stop in the middle of a request, while a worker hangs."""

import multiprocessing
import os
import tempfile
import time

from torch.distributed.elastic import timer

mp = multiprocessing.get_context("fork")


def serve(path):
    timer.FileTimerServer(path, "run", max_interval=0.1).start()
    time.sleep(3600)


def hang(path, entered):
    timer.configure(timer.FileTimerClient(path))
    with timer.expires(after=1):
        entered.set()
        time.sleep(3600)


def main():
    path = os.path.join(tempfile.mkdtemp(), "pipe")
    server = mp.Process(target=serve, args=(path,))  # its own, since it ends its process
    server.start()
    while not os.path.exists(path):
        time.sleep(0.01)
    entered = mp.Event()
    process = mp.Process(target=hang, args=(path, entered))
    process.start()
    entered.wait()
    stalled = os.open(path, os.O_WRONLY)
    os.write(stalled, b'{"version": 1, "pid"')
    process.join(5)
    print(f"hung for 5 s under a timer of 1 s: alive is {process.is_alive()}")
    process.kill()
    server.kill()


if __name__ == "__main__":
    main()

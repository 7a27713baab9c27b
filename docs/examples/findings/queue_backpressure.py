"""Go through guarded blocks while the server's process is stopped."""

import logging
import multiprocessing
import os
import signal
import tempfile
import time

from torch.distributed.elastic import timer

mp = multiprocessing.get_context("fork")
logging.disable()  # the client logs each of its attempts


def serve(path):
    timer.FileTimerServer(path, "run", max_interval=0.1).start()
    time.sleep(3600)


def main():
    path = os.path.join(tempfile.mkdtemp(), "pipe")
    server = mp.Process(target=serve, args=(path,))  # its own, since it ends its process
    server.start()
    while not os.path.exists(path):
        time.sleep(0.01)
    timer.configure(timer.FileTimerClient(path))
    with timer.expires(after=600):
        pass
    os.kill(server.pid, signal.SIGSTOP)
    try:
        for _ in range(10_000):
            with timer.expires(after=600):
                pass
    except Exception as error:
        print(f"out of a guarded block: {type(error).__name__}")
    server.kill()


if __name__ == "__main__":
    main()

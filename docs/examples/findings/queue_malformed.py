"""Write something that is no request behind one that is."""

import multiprocessing
import os
import tempfile
import time

from torch.distributed.elastic import timer
from torch.distributed.elastic.timer.file_based_local_timer import FileTimerRequest

mp = multiprocessing.get_context("fork")


def serve(path):
    timer.FileTimerServer(path, "run", max_interval=1).start()
    time.sleep(3600)


def main():
    path = os.path.join(tempfile.mkdtemp(), "pipe")
    server = mp.Process(target=serve, args=(path,))  # its own, since it ends its process
    server.start()
    while not os.path.exists(path):
        time.sleep(0.01)
    hung = mp.Process(target=time.sleep, args=(3600,))
    hung.start()
    request = FileTimerRequest(hung.pid, "scope", time.time() + 0.5, signal=9)
    with open(path, "w") as pipe:
        pipe.write(request.to_json() + "\nno request\n")
    hung.join(5)
    print(f"hung for 5 s under a timer of 0.5 s: alive is {hung.is_alive()}")
    hung.kill()
    server.kill()


if __name__ == "__main__":
    main()

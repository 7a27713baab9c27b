"""Stop the server, start it again, and let a worker hang."""

import multiprocessing
import time

from torch.distributed.elastic import timer

mp = multiprocessing.get_context("fork")


def hang(mp_queue):
    timer.configure(timer.LocalTimerClient(mp_queue))
    with timer.expires(after=0.5):
        time.sleep(3600)


def main():
    mp_queue = mp.Queue()
    server = timer.LocalTimerServer(mp_queue, max_interval=0.1)
    server.start()
    server.stop()
    server.start()
    process = mp.Process(target=hang, args=(mp_queue,))
    process.start()
    process.join(4)
    print(f"hung for 4 s under a timer of 0.5 s: alive is {process.is_alive()}")
    process.kill()


if __name__ == "__main__":
    main()

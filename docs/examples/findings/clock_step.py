"""Let the wall clock of the server's machine jump by an hour."""

import multiprocessing
import time

from torch.distributed.elastic import timer

mp = multiprocessing.get_context("fork")
real_time = time.time


def healthy(mp_queue, entered):
    timer.configure(timer.LocalTimerClient(mp_queue))
    with timer.expires(after=600):
        entered.set()
        time.sleep(3)


def main():
    mp_queue = mp.Queue()
    entered = mp.Event()
    process = mp.Process(target=healthy, args=(mp_queue, entered))
    process.start()
    server = timer.LocalTimerServer(mp_queue, max_interval=0.1)
    server.start()
    entered.wait()
    time.time = lambda: real_time() + 3600  # what clock_settime(2) does, for this process alone
    process.join()
    print(f"3 s under a timer of 600 s: exit code {process.exitcode}")


if __name__ == "__main__":
    main()

"""Let a worker hang under a server with a long interval, if shorter than the default of 60 s."""

import multiprocessing
import time

from torch.distributed.elastic import timer

mp = multiprocessing.get_context("fork")


def hang(mp_queue, deadline):
    timer.configure(timer.LocalTimerClient(mp_queue))
    with timer.expires(after=0.5):
        deadline.value = time.monotonic() + 0.5
        time.sleep(3600)


def main():
    mp_queue = mp.Queue()
    deadline = mp.Value("d")
    process = mp.Process(target=hang, args=(mp_queue, deadline))
    process.start()
    server = timer.LocalTimerServer(mp_queue, max_interval=6)
    server.start()
    process.join()
    late = time.monotonic() - deadline.value
    print(f"reaped more than 5 s late under a timer of 0.5 s: {late > 5}")


if __name__ == "__main__":
    main()

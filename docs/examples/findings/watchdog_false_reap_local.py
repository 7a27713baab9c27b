"""Leave a block in time while the server is behind with reading."""

import multiprocessing
import time

from torch.distributed.elastic import timer

mp = multiprocessing.get_context("fork")
AFTER = 3  # seconds


def healthy(mp_queue, took):
    timer.configure(timer.LocalTimerClient(mp_queue))
    start = time.monotonic()
    with timer.expires(after=AFTER, scope="epoch"):
        for _ in range(10_000):
            with timer.expires(after=3600, scope="step"):
                pass
    took.value = time.monotonic() - start
    time.sleep(2 * AFTER)


def main():
    mp_queue = mp.Queue()
    took = mp.Value("d")
    process = mp.Process(target=healthy, args=(mp_queue, took))
    process.start()
    time.sleep(AFTER + 0.5)  # the server's process gets no time of the CPU until now
    server = timer.LocalTimerServer(mp_queue, max_interval=0.01)
    server.start()
    process.join()
    print(f"left its block in time: {0 < took.value < AFTER}; exit code {process.exitcode}")


if __name__ == "__main__":
    main()

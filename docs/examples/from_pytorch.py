"""A program written for PyTorch's timers: only the import has changed."""

import multiprocessing as mp
import time

import elastic_timer as timer  # was: import torch.distributed.elastic.timer as timer


def trainer(mp_queue):
    timer.configure(timer.LocalTimerClient(mp_queue))
    with timer.expires(after=0.5):
        time.sleep(3600)


def main():
    mp_queue = mp.get_context("spawn").Queue()
    server = timer.LocalTimerServer(mp_queue, max_interval=0.1)
    server.start()

    process = mp.get_context("spawn").Process(target=trainer, args=(mp_queue,))
    process.start()
    process.join()
    print(f"exit code {process.exitcode}")

    server.stop()


if __name__ == "__main__":
    main()

"""Two workers run the same step. One of them hangs in it, and is reaped."""

import multiprocessing
import time

import elastic_timer as timer


def train_one_step(duration):
    time.sleep(duration)  # a collective that may never return


def worker(client, duration):
    timer.configure(client)
    with timer.expires(after=0.5):
        train_one_step(duration)


def main():
    with timer.SharedMemoryTimerServer() as server:
        workers = {
            name: multiprocessing.Process(target=worker, args=(server.client(), duration))
            for name, duration in (("healthy", 0.01), ("hung", 3600))
        }
        for process in workers.values():
            process.start()
        for name, process in workers.items():
            process.join()
            print(f"{name}: exit code {process.exitcode}")


if __name__ == "__main__":
    main()

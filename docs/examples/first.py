"""The example of the start page."""

import multiprocessing
import time

import elastic_timer as timer


def worker(client):
    timer.configure(client)
    with timer.expires(after=0.5):
        time.sleep(3600)  # a step that hangs


if __name__ == "__main__":
    with timer.SharedMemoryTimerServer() as server:
        process = multiprocessing.Process(target=worker, args=(server.client(),))
        process.start()
        process.join()  # returns after half a second
    print(f"exit code {process.exitcode}")

"""Give a dead worker's process id to another process. Needs root: the kernel is asked to."""

import multiprocessing
import os
import time

from torch.distributed.elastic import timer

mp = multiprocessing.get_context("fork")
AFTER = 4  # seconds


def crash(mp_queue):
    timer.configure(timer.LocalTimerClient(mp_queue))
    with timer.expires(after=AFTER):
        time.sleep(0.5)  # the request is sent by a thread of this process
        os._exit(1)


def start_as(pid):
    """Start a process that does nothing, until one is given this number."""
    while True:
        with open("/proc/sys/kernel/ns_last_pid", "w") as file:
            file.write(str(pid - 1))
        process = mp.Process(target=time.sleep, args=(3600,))
        process.start()
        if process.pid == pid:
            return process
        process.kill()  # somebody else was faster
        process.join()


def main():
    mp_queue = mp.Queue()
    worker = mp.Process(target=crash, args=(mp_queue,))
    worker.start()
    worker.join()
    innocent = start_as(worker.pid)
    server = timer.LocalTimerServer(mp_queue, max_interval=0.1)
    server.start()
    innocent.join(AFTER + 2)
    print(f"the process that never had a timer: exit code {innocent.exitcode}")
    innocent.kill()


if __name__ == "__main__":
    main()

"""Hang in a call of C that keeps Python's lock, as soon as the timer is armed."""

import ctypes
import multiprocessing
import sys
import time

from torch.distributed.elastic import timer

mp = multiprocessing.get_context("fork")
HANG = 4  # seconds


def worker(mp_queue, entered):
    sys.setswitchinterval(3600)  # nothing comes between acquire and the call, on any machine
    timer.configure(timer.LocalTimerClient(mp_queue))
    with timer.expires(after=0.3):
        entered.value = time.monotonic()
        ctypes.PyDLL(None).sleep(HANG)  # PyDLL, unlike CDLL, keeps the lock
        time.sleep(3600)


def main():
    mp_queue = mp.Queue()
    entered = mp.Value("d")
    process = mp.Process(target=worker, args=(mp_queue, entered))
    process.start()
    server = timer.LocalTimerServer(mp_queue, max_interval=0.1)
    server.start()
    process.join()
    lived = time.monotonic() - entered.value
    print(f"reaped: {process.exitcode == -9}")
    print(f"after the call of {HANG} s had returned, under a timer of 0.3 s: {lived >= HANG}")


if __name__ == "__main__":
    main()

"""Kill a worker that is sending; then let another one hang."""

import multiprocessing
import time

from torch.distributed.elastic import timer

mp = multiprocessing.get_context("fork")


def send_without_pause(mp_queue):
    client = timer.LocalTimerClient(mp_queue)
    while True:
        client.release("scope")


def hang(mp_queue, entered):
    timer.configure(timer.LocalTimerClient(mp_queue))
    with timer.expires(after=0.5):
        entered.set()
        time.sleep(3600)


def main():
    mp_queue = mp.Queue()
    sender = mp.Process(target=send_without_pause, args=(mp_queue,))
    sender.start()
    # Nobody reads yet, as when the server's machine is busy. Once the pipe is full, the sender
    # waits in write(2), and holds the lock that all senders share.
    time.sleep(2)
    sender.kill()
    sender.join()

    server = timer.LocalTimerServer(mp_queue, max_interval=0.1)
    server.start()
    entered = mp.Event()
    hung = mp.Process(target=hang, args=(mp_queue, entered))
    hung.start()
    entered.wait()
    hung.join(5)
    print(f"hung for 5 s under a timer of 0.5 s: alive is {hung.is_alive()}")
    hung.kill()


if __name__ == "__main__":
    main()

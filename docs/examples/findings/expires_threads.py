"""Leave a block in one thread while another one is in it."""

import threading

from torch.distributed.elastic import timer


class Recorder(timer.TimerClient):
    """Keeps what a server would have in its table."""

    def __init__(self):
        self.armed = {}

    def acquire(self, scope_id, expiration_time):
        self.armed[scope_id] = expiration_time

    def release(self, scope_id):
        self.armed.pop(scope_id, None)


def load(entered, leave):
    with timer.expires(after=60, client=client):
        entered.set()
        leave.wait()


client = Recorder()
threads = []
for _ in range(2):
    entered, leave = threading.Event(), threading.Event()
    thread = threading.Thread(target=load, args=(entered, leave))
    thread.start()
    entered.wait()
    threads.append((thread, leave))
print(f"timers with two threads in the block: {len(client.armed)}")
for count in (1, 0):
    thread, leave = threads.pop()
    leave.set()
    thread.join()
    print(f"with {count}: {len(client.armed)}")

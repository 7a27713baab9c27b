"""Compute a duration, and get it wrong."""

import multiprocessing
import os

from torch.distributed.elastic import timer
from torch.distributed.elastic.timer import TimerRequest


class Recorder(timer.TimerClient):
    """Keeps what a server would have in its table."""

    def __init__(self):
        self.armed = {}

    def acquire(self, scope_id, expiration_time):
        self.armed[scope_id] = expiration_time

    def release(self, scope_id):
        self.armed.pop(scope_id, None)


for after in (float("nan"), -1e12):
    client = Recorder()
    server = timer.LocalTimerServer(multiprocessing.Queue())
    server.register_timers([TimerRequest(os.getpid(), "step", 4e9)])
    with timer.expires(after=after, scope="step", client=client):
        request = TimerRequest(os.getpid(), "step", client.armed["step"])
    server.register_timers([request])
    expired = bool(server.get_expired_timers(float("inf")))
    left = len(server._timers)
    print(f"after={after}: ever expires is {expired}; timers in the table: {left}")

"""Enter and leave a block inside of another one, elsewhere."""

from torch.distributed.elastic import timer


class Recorder(timer.TimerClient):
    """Keeps what a server would have in its table."""

    def __init__(self):
        self.armed = {}

    def acquire(self, scope_id, expiration_time):
        self.armed[scope_id] = expiration_time

    def release(self, scope_id):
        self.armed.pop(scope_id, None)


def load_data(client):
    with timer.expires(after=10, client=client):
        pass


client = Recorder()
with timer.expires(after=60, client=client):
    print(f"timers in the outer block: {len(client.armed)}")
    load_data(client)
    print(f"after the inner block: {len(client.armed)}")

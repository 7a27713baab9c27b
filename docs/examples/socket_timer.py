"""A timer backend of one's own: each request is one packet on a Unix socket."""

import json
import os
import select
import signal
import socket
import time
from collections import deque

from elastic_timer import RequestQueue, TimerClient, TimerRequest, TimerServer


class Sender:
    """Any worker's end of the socket. Handed to a worker as an argument of its process."""

    def __init__(self, sending_socket):
        self._socket = sending_socket

    def put(self, request):
        fields = (request.worker_id, request.scope_id, request.expiration_time)
        self._socket.send(json.dumps(fields).encode())


class SocketQueue(RequestQueue):
    """The server's end. A sequenced-packet socket keeps packets whole, whoever sends them."""

    def __init__(self):
        self._receiving, sending = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sender = Sender(sending)
        self._arrived = deque()

    def size(self):
        self._receive(timeout=0)
        return len(self._arrived)

    def get(self, size, timeout):
        deadline = time.monotonic() + timeout
        while len(self._arrived) < size:
            if not self._receive(max(0, deadline - time.monotonic())):
                break
        return [self._arrived.popleft() for _ in range(min(size, len(self._arrived)))]

    def _receive(self, timeout):
        """Take in all packets that are there, and return whether any came within the timeout."""
        if not select.select([self._receiving], [], [], timeout)[0]:
            return False
        while True:
            try:
                packet = self._receiving.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return True
            self._arrived.append(TimerRequest(*json.loads(packet)))


class SocketTimerClient(TimerClient):
    def __init__(self, sender):
        self._sender = sender

    def acquire(self, scope_id, expiration_time):
        self._sender.put(TimerRequest(os.getpid(), scope_id, expiration_time))

    def release(self, scope_id):
        self._sender.put(TimerRequest(os.getpid(), scope_id, -1))


class SocketTimerServer(TimerServer):
    """Four methods of the table; the watchdog is inherited."""

    def __init__(self, queue, max_interval=60, **options):
        super().__init__(queue, max_interval, **options)
        self._timers = {}

    def register_timers(self, timer_requests):
        for request in timer_requests:
            key = request.worker_id, request.scope_id
            if request.expiration_time < 0:
                self._timers.pop(key, None)
            else:
                self._timers[key] = request

    def clear_timers(self, worker_ids):
        self._timers = {
            key: request for key, request in self._timers.items() if key[0] not in worker_ids
        }

    def get_expired_timers(self, deadline):
        expired = {}
        for request in self._timers.values():
            if request.expiration_time <= deadline:
                expired.setdefault(request.worker_id, []).append(request)
        return expired

    def _reap_worker(self, worker_id):
        try:
            os.kill(worker_id, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it is gone, which is all that was wanted
        except OSError:
            return False
        return True

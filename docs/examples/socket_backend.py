"""What the conformance suite needs to know about socket_timer."""

import elastic_timer
from elastic_timer_conformance.backend import Backend, Deviation, IdleServer, OpenQueue
from socket_timer import SocketQueue, SocketTimerClient, SocketTimerServer


class SocketBackend(Backend):
    name = "socket"
    deviations = (
        Deviation("CLOCK-STEP", "it compares wall-clock times, so a clock that jumps misleads it"),
        Deviation("PROCESS-PID-REUSE", "a worker is known by its process id alone"),
    )

    @property
    def api(self):
        return elastic_timer

    def version(self):
        return "socket_timer 0.1"

    def start_server(self, max_interval):
        server = SocketTimerServer(SocketQueue(), max_interval)
        server.start()
        return server

    def client(self, server):
        return SocketTimerClient(server._request_queue.sender)

    # From here on: optional, for the tests of single parts.

    def open_queue(self):
        queue = SocketQueue()
        return OpenQueue(queue, producer=queue.sender)

    def idle_server(self, max_interval, clock, reap=None):
        queue = SocketQueue()
        server = SocketTimerServer(queue, max_interval, clock=clock)
        if reap is not None:
            server._reap_worker = reap
        return IdleServer(server, put=queue.sender.put)

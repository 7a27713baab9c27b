"""The reference implementation fits the formal interface: checked by mypy, never run."""

from __future__ import annotations

import elastic_timer
import elastic_timer_spec.interface as formal


def requests(request: elastic_timer.TimerRequest) -> formal.TimerRequest:
    return request


def clients(client: elastic_timer.TimerClient) -> formal.TimerClient:
    return client


def local_clients(client: elastic_timer.LocalTimerClient) -> formal.TimerClient:
    return client


def file_clients(client: elastic_timer.FileTimerClient) -> formal.TimerClient:
    return client


def queues(queue: elastic_timer.RequestQueue) -> formal.RequestQueue[elastic_timer.TimerRequest]:
    return queue


def pipes(pipe: elastic_timer.RequestPipe) -> formal.RequestQueue[elastic_timer.TimerRequest]:
    return pipe


def servers(server: elastic_timer.TimerServer) -> formal.TimerServer[elastic_timer.TimerRequest]:
    return server


def local_servers(
    server: elastic_timer.LocalTimerServer,
) -> formal.TimerServer[elastic_timer.TimerRequest]:
    return server


def file_servers(
    server: elastic_timer.FileTimerServer,
) -> formal.TimerServer[elastic_timer.TimerRequest]:
    return server

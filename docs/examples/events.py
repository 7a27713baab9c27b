"""A server tells what happens, and when its watchdog last completed a pass."""

import multiprocessing
import time

import elastic_timer as timer


def hang(client):
    with timer.expires(after=0.2, scope="load batch", client=client):
        time.sleep(3600)


def report(event):
    if event.name == "expired":
        print(f"a timer expired: {event.scope_id!r}, seen within a second: {event.lateness < 1}")
    else:
        print(event.name)


def main():
    with timer.SharedMemoryTimerServer(max_interval=1, on_event=report) as server:
        healthy = time.time() - server.get_last_progress_time() < 10
        print(f"the watchdog is alive: {healthy}")
        worker = multiprocessing.Process(target=hang, args=(server.client(),))
        worker.start()
        worker.join()


if __name__ == "__main__":
    main()

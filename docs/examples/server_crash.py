"""The server is killed while two workers are in guarded blocks. Its replacement reaps one."""

import multiprocessing
import signal
import tempfile
import time

import elastic_timer as timer


def serve(directory, ready):
    with timer.SharedMemoryTimerServer(directory):
        ready.set()
        signal.pause()


def worker(directory, duration, entered):
    timer.configure(timer.SharedMemoryTimerClient(directory))
    with timer.expires(after=2):
        entered.set()
        time.sleep(duration)


def start(function, *args):
    """Start a process, and wait until it says that it has come far enough."""
    event = multiprocessing.Event()
    process = multiprocessing.Process(target=function, args=(*args, event))
    process.start()
    event.wait()
    return process


def main():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        server = start(serve, directory)
        healthy = start(worker, directory, 0.5)
        hung = start(worker, directory, 3600)

        server.kill()
        server.join()
        print(f"server: exit code {server.exitcode}")
        healthy.join()  # it leaves its block while there is no server

        replacement = start(serve, directory)
        hung.join()
        print(f"healthy: exit code {healthy.exitcode}")
        print(f"hung: exit code {hung.exitcode}")
        replacement.kill()
        replacement.join()


if __name__ == "__main__":
    main()

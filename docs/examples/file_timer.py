"""A launcher and its workers, which share nothing but the path of a pipe."""

import os
import subprocess
import sys
import tempfile

import elastic_timer as timer

WORKER = """
import os
import sys
import time

import elastic_timer as timer

signum, duration = map(int, sys.argv[1:])
timer.configure(timer.FileTimerClient(os.environ["TORCHELASTIC_TIMER_FILE"], signum))
with timer.expires(after=0.5, scope="train_one_step"):
    time.sleep(duration)  # a collective that may never return
"""


def run_worker(path, signum, duration):
    environment = {**os.environ, "TORCHELASTIC_TIMER_FILE": path}
    command = [sys.executable, "-c", WORKER, str(signum), str(duration)]
    print(f"the worker ended with {subprocess.call(command, env=environment)}")


def main():
    path = os.path.join(tempfile.mkdtemp(), "timers")
    events = []

    def log_event(name, request):  # called in the server's thread
        events.append(name if request is None else f"{name}: {request.scope_id}")

    with timer.FileTimerServer(path, run_id="job 7", log_event=log_event):
        run_worker(path, signum=9, duration=3600)
        run_worker(path, signum=15, duration=3600)
        run_worker(path, signum=0, duration=2)  # observed only
    print(*events, sep="\n")


if __name__ == "__main__":
    main()

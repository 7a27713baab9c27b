"""Functions and coroutines are guarded by decorating them."""

import asyncio
import multiprocessing

import elastic_timer as timer


@timer.expires(after=30)
def save_checkpoint():
    return "saved"


@timer.expires(after=0.5)
async def fetch(name, delay):
    await asyncio.sleep(delay)
    print(f"{name}: fetched", flush=True)


async def fetch_all():
    # Two tasks, two timers: that the first one is done does not disarm the second one's.
    await asyncio.gather(fetch("first", 0.01), fetch("second", 3600))


def worker(client):
    timer.configure(client)
    print(f"checkpoint: {save_checkpoint()}", flush=True)
    asyncio.run(fetch_all())


def main():
    with timer.SharedMemoryTimerServer() as server:
        process = multiprocessing.Process(target=worker, args=(server.client(),))
        process.start()
        process.join()
        print(f"exit code {process.exitcode}")


if __name__ == "__main__":
    main()

"""Ask the queue for all that is in it, without waiting."""

import multiprocessing
import time

from torch.distributed.elastic.timer import TimerRequest
from torch.distributed.elastic.timer.local_timer import MultiprocessingRequestQueue

mp_queue = multiprocessing.Queue()
for number in range(5):
    mp_queue.put(TimerRequest(1, f"scope {number}", time.time()))
time.sleep(1)  # ample for the queue's thread to have written all five

queue = MultiprocessingRequestQueue(mp_queue)
size = queue.size()
requests = queue.get(size, timeout=0)
print(f"size() is {size}; get({size}, timeout=0) returned {len(requests)}")

mp_queue.cancel_join_thread()

"""What waits for a server: several requests at once, by the threads of one pool a process."""

from biggus.support.threads import WaitingThreads

REQUESTS = 16
"""How many requests the reads of Zarr stores keep under way, besides their own threads'."""

threads = WaitingThreads(REQUESTS)

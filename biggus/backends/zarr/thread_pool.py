"""The thread pool for requests of Zarr stores, one for each process."""

from biggus.support.threads import WaitingThreads

REQUESTS = 16
"""The most requests of this pool at once; threads that read may make further ones."""

threads = WaitingThreads(REQUESTS)

"""A ledger that somebody else is at, and reads of which the cache is to keep something."""

import contextlib
import sqlite3

import numpy as np

from biggus.cache.ledger import NAME
from biggus.sources.wrappers import ObjectSource

CHUNK = 10_000
PATIENCE_SECONDS = 60


@contextlib.contextmanager
def in_use(cache):
    """Have somebody else be at the ledger."""
    cache.stats()  # which makes it
    database = sqlite3.connect(cache.path / NAME, isolation_level=None)
    with contextlib.closing(database):
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


def read(cache, count=1, token="later"):
    """Read so many chunks through a cache; return what gives them."""
    values = np.arange(count * CHUNK, dtype="u1")
    cached = cache.wrap(ObjectSource(values, token=token), (CHUNK,))
    for i in range(count):
        box = (slice(i * CHUNK, (i + 1) * CHUNK, 1),)
        found = cached[box]
        assert (found == values[box]).all()
        found[...] = 0  # they are the reader's own
    return cached

"""Helpers: a ledger that another connection has locked, and reads that fill a cache."""

import contextlib
import sqlite3

import numpy as np

from biggus.cache.ledger import NAME
from biggus.sources.wrappers import ObjectSource

CHUNK = 10_000
PATIENCE_SECONDS = 60


@contextlib.contextmanager
def in_use(cache):
    """Lock the ledger of `cache` from another connection."""
    cache.stats()  # creates the ledger
    database = sqlite3.connect(cache.path / NAME, isolation_level=None)
    with contextlib.closing(database):
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


def read(cache, count=1, token="later"):
    """Read `count` chunks through a cache; return the cached source."""
    values = np.arange(count * CHUNK, dtype="u1")
    cached = cache.wrap(ObjectSource(values, token=token), (CHUNK,))
    for i in range(count):
        box = (slice(i * CHUNK, (i + 1) * CHUNK, 1),)
        found = cached[box]
        assert (found == values[box]).all()
        found[...] = 0  # the reader owns the values
    return cached

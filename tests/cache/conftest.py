"""Fixtures of the cache tests: a source that records its reads, caches, entry files, boxes."""

import contextlib
import dataclasses
import os
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest

from biggus.cache import Cache
from biggus.sources.base import Source, box_shape
from biggus.sources.encoding import Encoding

sys.path.insert(0, str(Path(__file__).parent))  # for the modules of this folder


@pytest.fixture(autouse=True)
def stored_at_once():
    """Override the fixture of all tests: the cache tests check when chunks are stored."""


@dataclasses.dataclass(frozen=True)
class Deflated(Encoding):
    """Chunks of plain values, compressed."""

    dtype: str

    def decode(self, box, data):
        values = np.frombuffer(bytearray(zlib.decompress(data)), self.dtype)
        return values.reshape(box_shape(box))


class Counting(Source):
    """A source over an array that records reads, and can change, wait and fail.

    It also gives its chunks compressed.
    """

    def __init__(self, values, chunks=None, token="counting", **attributes):
        self.values = values
        self.shape = values.shape
        self.dtype = values.dtype
        self.chunks = chunks
        self.token = token
        self.masked = isinstance(values, np.ma.MaskedArray)
        self.now = b"one"
        self.fetched = []
        self.revalidated = []
        self.failure = None
        self.gate = None
        self.reading = threading.Semaphore(0)
        if values.dtype.kind in "biuf" and not self.masked:
            self.encoding = Deflated(values.dtype.str)
        for name, value in attributes.items():
            setattr(self, name, value)

    def __getitem__(self, box):
        self.fetched.append(box)
        self.reading.release()
        if self.gate is not None:
            assert self.gate.wait(30)
        if self.failure is not None:
            raise self.failure
        return self.values[box] if self.shape else self.values

    def fetch_encoded(self, boxes):
        found = self.fetch_many(boxes)
        if self.encoding is None:
            return [(*fetched, None) for fetched in found]
        return [(values, validator, zlib.compress(values.tobytes())) for values, validator in found]

    def state(self):
        return self.now

    def revalidate(self, box, held):
        self.revalidated.append(box)
        return super().revalidate(box, held)


@pytest.fixture(scope="session")
def counting():
    return Counting


@pytest.fixture(params=["decoded", "encoded"])
def cache(tmp_path, request):
    with Cache(tmp_path / "cache", "1 GB", stored=request.param) as made:
        yield made


@pytest.fixture
def entries():
    """Return the entry files of a cache."""

    def find(cache):
        found = (cache.path / "entries").glob("[0-9a-f][0-9a-f]/*")
        return sorted(path for path in found if path.is_file())

    return find


@pytest.fixture
def box():
    """Make a box from pairs of bounds."""

    def make(*bounds):
        return tuple(slice(start, stop, 1) for start, stop in bounds)

    return make


@pytest.fixture(scope="session")
def on_disk():
    """Return the bytes on disk of all files below a folder."""

    def disk_usage(folder):
        size = 0
        for place, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(OSError):
                    size += os.lstat(f"{place}/{name}").st_blocks * 512
        return size

    return disk_usage


@pytest.fixture
def tiles():
    """A tile server; `encoded_samples` makes its module importable."""
    from tile_server import TileServer

    server = TileServer().start()
    yield server
    server.stop()

"""Zarr arrays that zarr-python writes, and that tests read without it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from biggus.backends.location import Location
from biggus.backends.zarr.backend import ZarrBackend
from biggus.backends.zarr.decoding import ChunkDecoder

zarr = pytest.importorskip("zarr")

SHAPE, CHUNKS, SHARDS = (7, 11), (3, 4), (6, 8)
CNAMES = ("lz4", "zstd", "blosclz", "lz4hc", "zlib")
CODECS = zarr.codecs


def open_direct(path):
    """Open a store, and check that its chunks are decoded without zarr-python."""
    source = ZarrBackend().open(Location(path), "/")
    assert not source.io_bound
    assert source.lock is None
    assert source.owns_data
    assert isinstance(source._reader._layout(source._grid.largest).chunk.decoder, ChunkDecoder)
    source._check_metadata = lambda **_: None
    return source


def sample(dtype, shape=SHAPE):
    dtype = np.dtype(dtype)
    raw = np.random.default_rng(3).integers(0, 100, int(np.prod(shape)))
    if dtype.kind == "V":
        return np.frombuffer(raw.astype("u1").repeat(dtype.itemsize).tobytes(), dtype)[
            : raw.size
        ].reshape(shape)
    return raw.astype(dtype).reshape(shape)


def assert_same(found, expected):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == np.ascontiguousarray(expected).tobytes()


COMPRESSORS_3 = {
    "none": None,
    "gzip": CODECS.GzipCodec(),
    "zstd": CODECS.ZstdCodec(),
    "zstd-checksum": CODECS.ZstdCodec(checksum=True),
    "crc32c": CODECS.Crc32cCodec(),
    "gzip-crc32c": [CODECS.GzipCodec(), CODECS.Crc32cCodec()],
    "crc32c-zstd": [CODECS.Crc32cCodec(), CODECS.ZstdCodec()],
    "zstd-gzip": [CODECS.ZstdCodec(), CODECS.GzipCodec()],
    **{
        f"blosc-{cname}-{shuffle}": CODECS.BloscCodec(cname=cname, shuffle=shuffle)
        for cname, shuffle in itertools.product(CNAMES, ("noshuffle", "shuffle", "bitshuffle"))
    },
}

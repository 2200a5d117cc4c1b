"""Sources of tiles and Zarr arrays, whose chunks a cache can store encoded."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from biggus.backends.location import Location
from biggus.backends.tiles.backend import TilesBackend

pytest.importorskip("PIL")
pytest.importorskip("urllib3")
zarr = pytest.importorskip("zarr")
fsspec = pytest.importorskip("fsspec")
import numcodecs

sys.path.append(str(Path(__file__).parents[1] / "backends" / "helpers"))


SETTINGS = "decoded", "encoded"
STORED = 33
"""Offset of the byte in an entry that says how its values are stored."""
SIZE = 64
DATA = np.round(np.linspace(-3, 5, 50 * 70).reshape(50, 70), 1)
V3, V2 = {"zarr_format": 3}, {"zarr_format": 2}
CODECS = zarr.codecs
ARRAYS = {
    "zstd": V3,
    "gzip": V3 | {"compressors": CODECS.GzipCodec()},
    "blosc": V3 | {"compressors": CODECS.BloscCodec(cname="lz4", shuffle="bitshuffle")},
    "two": V3 | {"compressors": [CODECS.GzipCodec(), CODECS.Crc32cCodec()]},
    "turned": V3 | {"filters": [CODECS.TransposeCodec(order=(1, 0))]},
    "big-endian": V3 | {"serializer": CODECS.BytesCodec(endian="big")},
    "sharded": V3 | {"shards": (32, 64)},
    "2 zlib": V2 | {"compressors": numcodecs.Zlib()},
    "2 blosc": V2 | {"compressors": numcodecs.Blosc(cname="zstd")},
    "2 lz4": V2 | {"compressors": numcodecs.LZ4()},
    "2 delta": V2 | {"filters": numcodecs.Delta("f8"), "compressors": numcodecs.Zstd()},
    "2 Fortran": V2 | {"order": "F"},
}


def tile_source(server, mode="RGB", suffix="jpg", bands=3, size=SIZE, **options):
    template = f"{server.url}/{mode}/{{z}}/{{x}}/{{y}}.{suffix}?size={size}"
    given = {"tile_size": size, "zoom": 1, "bands": bands} | options
    return TilesBackend().open(Location(template), **given)


def kinds(entries, cache):
    """Return the set of ways in which the entries of a cache store their values."""
    return {path.read_bytes()[STORED] for path in entries(cache)}


def same(one, other):
    assert one.dtype == other.dtype
    np.testing.assert_array_equal(one, other)


def make_array(folder, data=DATA, **codecs):
    made = zarr.create_array(
        folder / "a.zarr", shape=data.shape, dtype=data.dtype, chunks=(16, 32), **codecs
    )
    made[:] = data

"""Sharded Zarr arrays that zarr-python writes, and that tests read from a server."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import zarr

from biggus.backends.location import Location
from biggus.backends.zarr.backend import ZarrBackend
from biggus.sources.base import whole

BACKEND = ZarrBackend()
SHAPE, CHUNKS, SHARDS = (256, 512), (16, 16), (256, 256)
"""Two shards of 256 chunks."""

DATA = np.random.default_rng(0).integers(0, 1000, SHAPE)
MANY = whole(SHAPE)
ROWS = np.s_[0:16:1, 0:512:1]
NUMBERS = np.s_[40:41:1, 300:301:1]


def sharding(location="end", compressed=True):
    codecs = zarr.codecs
    return codecs.ShardingCodec(
        chunk_shape=CHUNKS,
        codecs=[codecs.BytesCodec(), *([codecs.ZstdCodec()] if compressed else [])],
        index_location=location,
    )


def create(path, data, codec=None):
    """Write a sharded array; zarr-python encodes the same values once only."""
    codec = codec or sharding()
    known = MADE.setdefault((data.dtype, data.tobytes(), str(codec.to_dict())), {})
    if not known:
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
            warnings.simplefilter("ignore")
            settings = {"chunks": SHARDS, "codecs": [codec], "zarr_format": 3}
            zarr.create(store=folder, shape=data.shape, dtype=data.dtype, **settings)[:] = data
            files = filter(Path.is_file, Path(folder).rglob("*"))
            known |= {each.relative_to(folder): each.read_bytes() for each in files}
    for name, content in known.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)


MADE = {}
"""The files of stores, by values and codec."""


def open_url(server, name="a.zarr", **options):
    return BACKEND.open(Location(f"{server.url}/{name}"), "/", **options)


def shard_file(server, number=0, name="a.zarr"):
    return server.folder / name / f"c/0/{number}"


def settle(*paths):
    """Set the times of files so far back that they count as settled."""
    for path in paths:
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 100))

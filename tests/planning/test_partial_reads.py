"""Parts of uncompressed chunks are read directly, without a scratch file."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.testing import ArraySource, assert_same

h5py = pytest.importorskip("h5py")
zarr = pytest.importorskip("zarr")

VALUES = np.random.default_rng(0).normal(size=(60, 40, 500)).astype("f4")


class PartwiseSource(ArraySource):
    reads_parts = True


def _hdf5(path, **keywords):
    with h5py.File(path / "a.h5", "w") as file:
        file.create_dataset("a", data=VALUES, chunks=(5, 40, 250), **keywords)
    return biggus.open(path / "a.h5", "a")


def _zarr(path, **keywords):
    stored = zarr.create_array(
        path / "a.zarr", shape=VALUES.shape, chunks=(5, 40, 250), dtype="f4", **keywords
    )
    stored[...] = VALUES
    return biggus.open(path / "a.zarr")


def _halves(array):
    return biggus.LinearMosaic([array[:30], array[30:]], axis=0)


MADE = {
    "uncompressed": (_hdf5, False),
    "compressed": (lambda path: _hdf5(path, compression="gzip"), True),
    "zarr uncompressed": (lambda path: _zarr(path, compressors=None), False),
    "zarr compressed": (_zarr, True),
    "unknown": (lambda _: biggus.ArrayAdapter(ArraySource(VALUES, chunks=(5, 40, 250))), True),
    "known": (
        lambda _: biggus.ArrayAdapter(PartwiseSource(VALUES, chunks=(5, 40, 250))),
        False,
    ),
    "mosaic": (lambda path: _halves(_hdf5(path)), False),
    "transposed": (lambda path: _hdf5(path).transpose(2, 0, 1).transpose(1, 2, 0), False),
    "with strides": (lambda path: np.repeat(_hdf5(path), 2, 2)[..., ::2], True),
    "computed": (lambda path: np.negative(np.negative(_hdf5(path))), False),
}


@pytest.mark.parametrize("name", MADE)
def test_scratch_is_used_only_where_partial_chunk_reads_cost_more(tmp_path, name):
    make, gathered = MADE[name]
    array = make(tmp_path)
    for memory in ("4 MB", "14 MB"):
        with biggus.set_options(memory=memory, workers=1, cache=False):
            lazy = biggus.percentile(array, 95, axis=0)
            plan = biggus.plan([lazy])
            found = lazy.ndarray()
        # With the least memory, only short runs could be read at once.
        assert any(one.scratch_bytes for one in plan.passes) is (gathered or memory == "4 MB")
        assert_same(found, np.percentile(VALUES, 95, axis=0))


def test_cached_source_reads_whole_chunks(tmp_path):
    source = _hdf5(tmp_path).node.source
    assert source.reads_parts
    with biggus.set_options(cache=biggus.Cache(tmp_path / "cache")):
        assert not biggus.open(tmp_path / "a.h5", "a", cache=True).node.source.reads_parts

"""Sources read into the result array directly, with the same values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import biggus
from biggus import graph as nodes
from biggus.backends.hdf5.source import HDF5Source
from biggus.errors import SourceError
from biggus.indexing.selection import Selection
from biggus.sources.base import Source, read_into
from biggus.sources.wrappers import Annotated
from biggus.testing import RecordingSource

h5py = pytest.importorskip("h5py")

SHAPE = (5, 6, 7)
VALUES = np.arange(2 * 3 * np.prod(SHAPE), dtype=">i4").reshape(2, 3, *SHAPE)

KEYS = [
    np.s_[...],
    np.s_[3],
    np.s_[2:9, 1:],
    np.s_[::2],
    np.s_[::-1],
    np.s_[:, ::-2],
    np.s_[:, :, 3],
    np.s_[4:, 5, ::3],
    np.s_[:, None, 2],
    np.s_[[1, 7, 8]],
    np.s_[2:9, [5, 0]],
    np.s_[9, 5, 6],
    np.s_[0:0],
]


@pytest.fixture(params=["contiguous", "chunked"])
def mosaic(request, tmp_path):
    """Return a mosaic of files, and its values."""
    chunks = (2, 3, 4) if request.param == "chunked" else None
    rows = []
    for row in range(2):
        files = []
        for column in range(3):
            path = tmp_path / f"{row}{column}.h5"
            with h5py.File(path, "w") as file:
                file.create_dataset("v", data=VALUES[row, column], chunks=chunks)
            files.append(biggus.open(path, "v"))
        rows.append(biggus.LinearMosaic(files, axis=1))
    values = np.concatenate([np.concatenate(list(row), axis=1) for row in VALUES])
    return biggus.LinearMosaic(rows, axis=0), values


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_selections_of_a_mosaic_match_numpy(mosaic, key):
    lazy, values = mosaic
    np.testing.assert_array_equal(lazy[key].ndarray(), values[key], strict=True)


@pytest.mark.parametrize("transposed", list(itertools.permutations(range(3))), ids=str)
def test_transposed_mosaic_matches_numpy(mosaic, transposed):
    lazy, values = mosaic
    found = lazy.transpose(transposed).ndarray()
    np.testing.assert_array_equal(found, values.transpose(transposed), strict=True)


class DirectSource(Source):
    """A source that reads into the result array."""

    name = "direct"
    dtype = np.dtype("f8")
    io_bound = False
    reads_into = True

    def __init__(self, shape, fails=False):
        self.shape = shape
        self.fails = fails
        self.put = []

    def __getitem__(self, box):
        raise AssertionError("not read into")

    def read_into(self, box, out):
        if self.fails:
            raise OSError("the disk is gone")
        assert out.flags.c_contiguous
        self.put.append(box)
        out[...] = 7
        return True


def test_only_contiguous_parts_of_the_result_are_read_into():
    tall, wide = DirectSource((4, 3)), DirectSource((2, 3))
    rows = biggus.LinearMosaic([biggus.ArrayAdapter(tall), biggus.ArrayAdapter(wide)], axis=0)
    assert (rows.ndarray() == 7).all()
    assert tall.put == [np.s_[0:4:1, 0:3:1]]
    columns = biggus.LinearMosaic([biggus.ArrayAdapter(tall)] * 2, axis=1)
    with pytest.raises(SourceError, match="not read into"):
        columns.ndarray()


def test_error_names_the_source_and_the_box():
    rows = [biggus.ArrayAdapter(DirectSource((4, 3), fails)) for fails in (False, True)]
    with pytest.raises(SourceError, match=r"direct.*\[0:4, 0:3\].*disk is gone"):
        biggus.LinearMosaic(rows, axis=0).ndarray()


def test_read_into_passes_only_through_transparent_wrappers(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v"] = VALUES[0, 0]
    source = HDF5Source(str(tmp_path / "a.h5"), "v")
    box = tuple(slice(0, n, 1) for n in SHAPE)
    out = np.empty(SHAPE, source.dtype)
    assert not read_into(RecordingSource(source), box, out)
    assert read_into(Annotated(source, token="mine"), box, out)
    np.testing.assert_array_equal(out, VALUES[0, 0], strict=True)


def test_read_into_is_refused_where_only_h5py_can_decode(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("v", data=np.arange(8), chunks=(4,), scaleoffset=0)
    source = HDF5Source(str(tmp_path / "a.h5"), "v")
    assert source.lock is not None
    assert not source.read_into((slice(0, 8, 1),), np.empty(8, source.dtype))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (np.s_[...], True),
        (np.s_[1:3, 2], True),
        (np.s_[1:3, ::2], False),
        (np.s_[1:3, ::-1], False),
        (np.s_[[0, 2]], False),
        (np.s_[None], False),
    ],
    ids=str,
)
def test_selection_in_order(key, expected):
    node = biggus.ArrayAdapter(np.zeros((4, 5)))[key].node
    selection = node.selection if isinstance(node, nodes.View) else Selection.identity(node.shape)
    assert selection.in_order is expected


@pytest.mark.parametrize("attributes", [{}, {"valid_max": 1000.0}, {"add_offset": np.float32(2)}])
def test_values_are_decoded_in_the_result_array(tmp_path, monkeypatch, attributes):
    """Missing values are masked, and reordered selections are copied into place."""
    monkeypatch.setattr("biggus.graph.leaf.LONGEST_READ", 2**10)
    values = np.arange(5000, dtype="f4").reshape(50, 100)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = file.create_dataset("v", data=values, chunks=(5, 20), compression="gzip")
        stored.attrs.update({"_FillValue": np.float32(77), **attributes})
    missing = (values == 77) | (values > attributes.get("valid_max", np.inf))
    right = np.ma.MaskedArray(values + np.float32(attributes.get("add_offset", 0)), missing)
    array = biggus.open(tmp_path / "a.h5", "v")
    assert array.masked
    for key in (np.s_[...], np.s_[3:], np.s_[20:40, 10:90], np.s_[::-1], np.s_[4], np.s_[::3, 5]):
        found = array[key].masked_array()
        np.testing.assert_array_equal(np.ma.getmaskarray(found), np.ma.getmaskarray(right[key]))
        np.testing.assert_array_equal(found.compressed(), right[key].compressed(), strict=True)
        assert found.fill_value == 77

"""Picking elements from a stream gives the values of the box, and reads only near them."""

from __future__ import annotations

import math

import numpy as np
import numpy_keys
import pytest

import biggus
from biggus.errors import SourceChangedError
from biggus.graph import picking
from biggus.graph.picking import picked
from biggus.indexing.keys import numpy_selection, orthogonal_selection
from biggus.indexing.selection import ArrayMap
from biggus.sources.base import Source
from biggus.sources.stream import AnyOrderStream
from biggus.testing import assert_same, strategies

pytest.importorskip("hypothesis")
from hypothesis import assume, given
from hypothesis import strategies as st


class Runs(AnyOrderStream):
    """A stream that records its reads; the first `at_hand` reads find their values in memory."""

    def __init__(self, source, box, at_hand):
        super().__init__(source, box)
        self.values = source.values.reshape(-1)
        self.at_hand = at_hand
        self.short = []
        self.long = []

    def read_into(self, start, out):
        self.long.append((start, out.size))
        out[:] = self.values[start : start + out.size]

    def read_at_hand(self, starts, counts, out):
        if not self.at_hand:
            return False
        self.at_hand -= 1
        runs = [slice(a, a + n) for a, n in zip(starts.tolist(), counts.tolist(), strict=True)]
        self.short += [(run.start, run.stop - run.start) for run in runs]
        out[:] = np.concatenate([self.values[run] for run in runs])
        return True


class StreamSource(Source):
    """A contiguous array that keeps its last stream."""

    streams = True

    def __init__(self, values, at_hand=0):
        self.values, self.at_hand = values, at_hand
        self.shape, self.dtype = values.shape, values.dtype
        self.name = "stream"

    def __getitem__(self, box):
        raise AssertionError("it is not read as a box")

    def stream(self, box):
        self.last = Runs(self, box, self.at_hand)
        return self.last


def keys_of(shape, orthogonal):
    keys = numpy_keys.oindex_keys if orthogonal else numpy_keys.advanced_keys
    return keys(shape) if orthogonal else keys(shape, invalid=False)


@given(st.data())
def test_picked_values_match_the_box(data):
    shape = data.draw(strategies.shapes(min_dims=1, max_dims=4, min_side=1, max_side=9))
    orthogonal = data.draw(st.booleans())
    resolve = orthogonal_selection if orthogonal else numpy_selection
    selection = resolve(data.draw(keys_of(shape, orthogonal)), shape)
    assume(0 < math.prod(selection.shape) < 10_000)
    assume(any(isinstance(m, ArrayMap) for m in selection.maps))
    dtype = data.draw(st.sampled_from(["u1", ">f4", "f8", "S3"]))
    values = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
    source = StreamSource(values, data.draw(st.integers(0, 3)))
    box, local = selection.bounding_box()
    room, run, near = (data.draw(st.integers(1, most)) for most in (600, 100, 60))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picking, "_EACH", -values.itemsize)
        patch.setattr(picking, "_ROOM", room + 3 * run)
        patch.setattr(picking, "_RUN_BYTES", run)
        patch.setattr(picking, "_NEAR", near)
        found = picked(source, box, local)
    if len(selection.named_dims()) < len(selection.shape):
        assert found is None
        return
    assert_same(np.ascontiguousarray(found), selection.take_from(values))
    assert found.flags.writeable
    _check_runs(source, selection, run, near)


def _check_runs(source, selection, run, near):
    itemsize, stream = source.dtype.itemsize, source.last
    numbers = np.arange(source.values.size).reshape(source.shape)
    wanted = np.unique(selection.take_from(numbers))
    seen = np.zeros(numbers.size, int)
    for start, count in (*stream.short, *stream.long):
        assert count * itemsize <= max(2 * run, 2 * itemsize) + itemsize
        seen[start : start + count] += 1
        assert start in wanted  # no run starts before its first wanted element
    assert seen[wanted].all()
    gaps = np.diff(wanted)
    for start, count in stream.short:
        inside = wanted[:-1][(wanted[:-1] >= start) & (wanted[1:] < start + count)]
        assert ((gaps[np.isin(wanted[:-1], inside)] - 1) * itemsize <= near).all()


def test_near_elements_are_read_as_a_box():
    values = np.arange(10_000.0).reshape(100, 100)
    rows = np.arange(0, 100, 2)
    for key in (np.s_[3:50, 7], (rows, slice(None))):
        box, local = numpy_selection(key, values.shape).bounding_box()
        assert picked(StreamSource(values), box, local) is None
    box, local = numpy_selection((rows, rows), values.shape).bounding_box()
    for flag, value in (("streams", False), ("masked", True), ("lock", object())):
        source = StreamSource(values)
        setattr(source, flag, value)
        assert picked(source, box, local) is None
    assert picked(StreamSource(values), box, local).tolist() == values[rows, rows].tolist()


@pytest.fixture
def points(tmp_path):
    """Return a file, a key of distant points in its array, and their values."""
    values = np.arange(2**17, dtype=">u4").reshape(32, 64, 64)
    np.save(tmp_path / "a.npy", values)
    key = np.unravel_index(np.random.default_rng(0).choice(values.size, 50), values.shape)
    return tmp_path / "a.npy", key, values[key]


@pytest.mark.parametrize("at_hand", [True, False])
def test_distant_points_of_a_file(points, at_hand, monkeypatch):
    path, key, values = points
    if not at_hand:
        monkeypatch.setattr("biggus.backends.descriptor._TELLS_AT_HAND", False)
    array = biggus.open(path)
    for order in (np.arange(50), np.argsort(values), np.arange(50)[::-1]):
        picked = array[tuple(axis[order] for axis in key)].ndarray()
        assert picked.tolist() == values[order].tolist()


@pytest.mark.parametrize("method", ["read_into", "read_at_hand"])
def test_file_changed_while_picking_raises(points, method, monkeypatch):
    from biggus.backends.descriptor import Descriptor

    path, key, _ = points
    array = biggus.open(path)
    read = getattr(Descriptor, method)

    def read_then_append(self, *args):
        done = read(self, *args)
        with path.open("ab") as file:
            file.write(b"more")
        return True if done is False else done

    monkeypatch.setattr("biggus.backends.descriptor._TELLS_AT_HAND", method == "read_at_hand")
    monkeypatch.setattr(Descriptor, method, read_then_append)
    with pytest.raises(SourceChangedError):
        array[key].ndarray()


def test_truncated_file_raises(points):
    path, key, _ = points
    array = biggus.open(path)
    source = array.node.source
    stream = source.stream(tuple(slice(0, n, 1) for n in source.shape))
    with path.open("r+b") as file:
        file.truncate(1000)
    box, local = numpy_selection(key, source.shape).bounding_box()
    source.stream = lambda box: stream
    with pytest.raises(biggus.SourceError):
        picked(source, box, local)

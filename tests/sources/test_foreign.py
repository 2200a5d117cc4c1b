"""Arrays of dask and tensorstore are adapted, and mix with lazy arrays."""

from __future__ import annotations

import operator
import pickle

import numpy as np
import pytest

import biggus
from biggus.testing import UnreadableSource

ADAPT = biggus.ArrayAdapter
VALUES = np.arange(48.0).reshape(6, 8)
MASKED = np.ma.masked_array(VALUES, VALUES % 7 == 2)
KEYS = [..., np.s_[1:5:2, ::-3], [[4, 1]], np.s_[0, 0], np.s_[1::3, 2::2], np.s_[:, [7, 0, 3]]]


def equal(lazy, right):
    assert isinstance(lazy, biggus.Array)
    got = lazy.masked_array()
    assert got.dtype == right.dtype
    np.testing.assert_array_equal(got.mask, np.ma.getmaskarray(right))
    np.testing.assert_array_equal(got, right)
    assert lazy.masked == isinstance(right, np.ma.MaskedArray)


class ForeignDtype:
    """A dtype that NumPy cannot interpret, with the attribute `numpy_dtype`."""

    def __init__(self, numpy_dtype):
        self.numpy_dtype = np.dtype(numpy_dtype)


class WithForeignDtype:
    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, ForeignDtype(values.dtype)

    def __getitem__(self, box):
        return self.values[box]

    def __setitem__(self, box, values):
        self.values[box] = values


def test_foreign_dtype_with_numpy_dtype_attribute():
    array = ADAPT(WithForeignDtype(VALUES))
    equal(array[1:, ::2], VALUES[1:, ::2])
    target = WithForeignDtype(np.zeros_like(VALUES))
    biggus.save([array], [target])
    np.testing.assert_array_equal(target.values, VALUES)


class TestTensorStore:
    @pytest.fixture
    def ts(self):
        return pytest.importorskip("tensorstore")

    @pytest.mark.parametrize("dtype", ["int32", "float32", "bool", "uint8", "complex64", "int16"])
    def test_adapted(self, ts, dtype, tmp_path):
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(tmp_path)}}
        store = ts.open({**spec, "dtype": dtype}, create=True, shape=VALUES.shape).result()
        values = VALUES.astype(dtype)
        store[...] = values
        for key in KEYS:
            equal(ADAPT(store)[key], values[key])
        equal(ADAPT(store, chunks=(2, 3)).max(axis=0), values.max(axis=0))

    def test_sliced_store_keeps_its_origin(self, ts):
        store = ts.array(VALUES)
        cuts = [np.s_[2:5], np.s_[1:, 3:7], np.s_[::-1, 5:], np.s_[::2, 1::3], 2, np.s_[1, 1]]
        for cut in cuts:
            for again in (np.s_[...,], np.s_[..., 1:3]):
                if np.ndim(VALUES[cut]) or len(again) == 1:
                    equal(ADAPT(store[cut])[again], VALUES[cut][again])


BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv]
BINARY += [operator.mod, operator.pow, operator.lt, operator.ge, operator.eq, operator.ne]


class TestDask:
    @pytest.fixture
    def da(self):
        return pytest.importorskip("dask.array")

    def test_adapted(self, da):
        for values in (VALUES, MASKED, VALUES.astype("i2"), VALUES.astype("U4"), MASKED > 3):
            array = ADAPT(da.from_array(values, chunks=((1, 4, 1), 3)))
            assert array.grid == ((1, 4, 1), (3, 3, 2))
            for key in KEYS:
                equal(array[key], values[key] if np.ndim(values[key]) else values[(*key, ...)])
        equal(ADAPT(da.zeros((0, 3), chunks=2)), np.zeros((0, 3)))
        equal(ADAPT(da.from_array(np.array(5), chunks=())), np.array(5))
        again = pickle.loads(pickle.dumps(ADAPT(da.from_array(VALUES, chunks=2))))
        equal(again[::2], VALUES[::2])

    def test_mixing_arrays_computes_nothing(self, da):
        fails = da.from_array(VALUES, chunks=2).map_blocks(lambda _: 1 / 0, dtype="f8")
        both = ADAPT(UnreadableSource(VALUES.shape, VALUES.dtype))
        for found in (fails + both, both + fails, np.add(fails, both), fails == both):
            assert isinstance(found, biggus.Array)
            with pytest.raises(biggus.SourceError):
                found.ndarray()

    def test_unknown_shape_raises(self, da):
        dask = da.from_array(VALUES, chunks=2).ravel()
        with pytest.raises(TypeError, match="compute_chunk_sizes"):
            ADAPT(dask[dask > 3])

    @pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
    @pytest.mark.parametrize("act", BINARY)
    def test_operators(self, da, act):
        small = VALUES / 40
        array, dask = ADAPT(small), da.from_array(small.T.copy().T + 1, chunks=(4, 3))
        equal(act(array, dask), act(small, small + 1))
        equal(act(dask, array), act(small + 1, small))
        equal(act(array[:, None], dask), act(small[:, None], small + 1))
        masked = ADAPT(MASKED)
        equal(act(masked, dask), act(MASKED, small + 1))
        equal(act(dask, masked), act(small + 1, MASKED))
        equal(act(array, da.from_array(MASKED, chunks=5)), act(small, MASKED))

    def test_functions(self, da):
        array, dask = ADAPT(VALUES), da.from_array(VALUES * 2, chunks=(4, 3))
        for first, second in ((VALUES, VALUES * 2), (VALUES * 2, VALUES)):
            one, other = (array, dask) if first is VALUES else (dask, array)
            equal(np.add(one, other), first + second)
            equal(np.hypot(one, other), np.hypot(first, second))
            equal(np.concatenate([one, other]), np.concatenate([first, second]))
            equal(np.stack([one, other], axis=1), np.stack([first, second], axis=1))
            equal(np.where(array > 9, one, other), np.where(VALUES > 9, first, second))
            equal(divmod(one, other + 1)[1], divmod(first, second + 1)[1])
        equal(biggus.LinearMosaic([dask, array]), np.concatenate([VALUES * 2, VALUES]))
        equal(da.sqrt(array), np.sqrt(VALUES))

    @pytest.mark.parametrize("values", [VALUES, MASKED, MASKED.astype("i8")], ids=repr)
    def test_arrays_in_a_dask_graph(self, da, values):
        array = ADAPT(values)

        def equal(found, right):
            assert type(found) is type(right)
            assert found.dtype == right.dtype
            np.testing.assert_array_equal(np.ma.getmaskarray(found), np.ma.getmaskarray(right))
            np.testing.assert_array_equal(np.ma.filled(found, 0), np.ma.filled(right, 0))

        for dask in (da.from_array(array, chunks=(2, 3)), da.asarray(array), da.asanyarray(array)):
            assert dask.dtype == values.dtype
            equal(dask.compute(), values)
            equal((dask + 1).compute(), values + 1)
            equal(dask.sum(axis=0).compute(), values.sum(axis=0))
            equal(dask[1::2, [5, 0]].compute(), values[1::2, [5, 0]])
        other = da.from_array(VALUES, chunks=4)
        for found in (da.add(other, array), da.add(array, other)):
            equal(found.compute(), VALUES + values)
        joined = (np.ma if array.masked else np).concatenate([VALUES, values])
        equal(da.concatenate([other, array]).compute(), joined)

    def test_with_xarray(self, da):
        xr = pytest.importorskip("xarray")
        array = xr.DataArray(ADAPT(VALUES), dims=("y", "x"))
        dask = xr.DataArray(da.from_array(VALUES * 2, chunks=4), dims=("y", "x"))
        for found in (array + dask, dask + array, dask + ADAPT(VALUES)):
            equal(found.data, VALUES * 3)
        np.testing.assert_array_equal(array.chunk({"y": 2}).mean("y").values, VALUES.mean(axis=0))

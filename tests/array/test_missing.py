"""Missing values when they are filled or passed to NumPy, pandas, matplotlib and file libraries."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.errors import MaskedValueError
from biggus.testing import UnreadableSource

ADAPT = biggus.ArrayAdapter
MASK = np.array([[0, 1, 0, 0], [0, 1, 0, 1], [0, 1, 0, 0]], bool)
NUMBERS = np.ma.masked_array(np.arange(1.0, 13).reshape(3, 4), MASK)
WITH_NAN = NUMBERS.filled(np.nan)
BY_DTYPE = {
    dtype: np.ma.masked_array(np.arange(12).astype(dtype).reshape(3, 4), MASK)
    for dtype in ("?", "u1", ">i2", "f4", ">f8", "c8", "M8[D]", "m8[s]", "S3", "U2", "O")
}
FILLS = [None, 0, 1, -1, 300, 1.5, np.nan, np.inf, "ab", "abc", b"x", True, 2j, np.float32(3)]
FILLS += [
    np.datetime64("2001-01-01"),
    np.datetime64("NaT", "s"),
    np.timedelta64(3, "s"),
    [1, 2],
    10**30,
]


def same(got, expected):
    assert type(got) is np.ndarray
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    if expected.dtype == object:  # NaN in an object array equals itself as text only
        assert list(map(str, got.flat)) == list(map(str, expected.flat))
    else:
        np.testing.assert_array_equal(got, expected)


class TestFilled:
    @pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
    @pytest.mark.parametrize("fill", FILLS, ids=repr)
    @pytest.mark.parametrize("dtype", BY_DTYPE)
    def test_fills_like_numpy_ma(self, dtype, fill):
        values = BY_DTYPE[dtype]
        try:
            expected = values.filled(fill)
        except (TypeError, ValueError, OverflowError) as error:
            with pytest.raises(type(error)):
                ADAPT(values).filled(fill)
            return
        if np.ndim(fill):
            with pytest.raises(ValueError, match="one value"):
                ADAPT(values).filled(fill)
            return
        lazy = ADAPT(values).filled(fill)
        assert not lazy.masked
        same(lazy.ndarray(), expected)
        same(np.asarray(lazy[1:, ::-1]), expected[1:, ::-1])
        same(ADAPT(values)[::2].filled(fill).ndarray(), expected[::2])

    def test_default_is_the_fill_value_of_the_array(self):
        values = np.ma.masked_array(NUMBERS, fill_value=-9)
        same(ADAPT(values).filled().ndarray(), values.filled())
        same(ADAPT(NUMBERS.astype("i2")).filled().ndarray(), NUMBERS.astype("i2").filled())

    def test_is_lazy(self):
        class Masked(UnreadableSource):
            masked = True

        lazy = ADAPT(Masked((3, 4), np.dtype("f8"))).filled(0)
        assert lazy.shape == (3, 4)
        with pytest.raises(biggus.SourceError):
            lazy.ndarray()

    def test_array_without_a_mask_is_returned_unchanged(self):
        array = ADAPT(WITH_NAN)
        assert array.filled(0) is array

    def test_source_is_not_changed(self):
        values = NUMBERS.copy()
        ADAPT(values).filled(0).ndarray()
        assert values.data.tolist() == NUMBERS.data.tolist()

    def test_arithmetic_and_statistics_of_filled_arrays(self):
        lazy, expected = ADAPT(NUMBERS).filled(0), NUMBERS.filled(0)
        same((lazy * 2 + lazy[:1]).ndarray(), expected * 2 + expected[:1])
        for name in ("sum", "mean", "min", "max", "std"):
            got = getattr(lazy, name)(axis=0).ndarray()
            np.testing.assert_allclose(got, getattr(expected, name)(axis=0), rtol=1e-12)
        nan = ADAPT(NUMBERS).filled(np.nan)
        assert np.isnan(nan.sum().ndarray())
        assert biggus.nansum(nan).ndarray() == NUMBERS.sum()
        zero, one = ADAPT(NUMBERS).filled(0), ADAPT(NUMBERS).filled(1)
        found = biggus.ndarrays([zero, one, ADAPT(NUMBERS).count(), zero.mean(axis=0)])
        same(found[0], expected)
        same(found[1], NUMBERS.filled(1))
        joined = biggus.LinearMosaic([zero, ADAPT(NUMBERS)])
        np.testing.assert_array_equal(joined.masked_array().mask, [*(0 * MASK), *MASK])

    def test_save_keeps_attributes(self, tmp_path):
        netcdf = pytest.importorskip("netCDF4")
        with netcdf.Dataset(tmp_path / "a.nc", "w") as file:
            file.createDimension("x", 2)
            variable = file.createVariable("v", "f8", ("x",), fill_value=-1)
            variable.units = "K"
            variable[:] = np.ma.masked_array([1, 2], [False, True])
        array = biggus.open(tmp_path / "a.nc", "v").filled(np.nan)
        same(array.ndarray(), np.array([1, np.nan]))
        biggus.save(array, tmp_path / "b.nc::v")
        with netcdf.Dataset(tmp_path / "b.nc") as file:
            assert file["v"].units == "K"


class TestAsarray:
    @pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
    @pytest.mark.parametrize("new", ["f4", "f8", "c16", "O", "i4", "?", "U8", "M8[s]", None])
    @pytest.mark.parametrize("dtype", BY_DTYPE)
    def test_missing_values_are_nan_or_an_error(self, dtype, new):
        values = BY_DTYPE[dtype]
        present = np.ma.masked_array(values.data, False)
        wanted = np.dtype(dtype if new is None else new)
        try:
            expected = values.data.astype(wanted)
        except (TypeError, ValueError, RuntimeError) as error:
            with pytest.raises(type(error)):
                np.asarray(ADAPT(present), new)
            return
        with np.errstate(all="ignore"):
            same(np.asarray(ADAPT(present), new), expected)
        if wanted.kind in "fcmM":
            got = np.asarray(ADAPT(values), new)
            assert got.dtype == wanted
            np.testing.assert_array_equal(np.isnan(got), MASK)
            np.testing.assert_array_equal(got[~MASK], expected[~MASK])
        else:
            with pytest.raises(MaskedValueError, match="masked_array"):
                np.asarray(ADAPT(values), new)

    def test_values_under_the_mask_are_ignored_in_casts(self):
        values = np.ma.masked_array([1.0, np.nan, np.inf, 1e300], [0, 1, 1, 1])
        assert ADAPT(values).astype("i4").masked_array().compressed().tolist() == [1]
        with pytest.raises(MaskedValueError):
            np.asarray(ADAPT(values), "i4")
        with pytest.raises(RuntimeWarning):
            ADAPT(values.data).astype("i4").ndarray()

    @pytest.mark.parametrize("copy", [None, True, False])
    def test_copy_argument_of_asarray(self, copy):
        for values in (NUMBERS, NUMBERS.astype("i8"), WITH_NAN):
            if copy is False:
                with pytest.raises(ValueError, match="copy cannot be avoided"):
                    np.asarray(ADAPT(values), copy=copy)
            elif values.dtype.kind == "i":
                with pytest.raises(MaskedValueError):
                    np.asarray(ADAPT(values), copy=copy)
            else:
                same(np.asarray(ADAPT(values), copy=copy), WITH_NAN)

    def test_attributes_that_numpy_ma_looks_up_are_absent_or_raise(self):
        masked, plain = ADAPT(NUMBERS), ADAPT(WITH_NAN)
        for array in (masked, plain):
            for name in ("mask", "__array_interface__", "compressed", "soften_mask"):
                assert not hasattr(array, name)
            with pytest.raises(TypeError, match="does not change"):
                array.put([0], 1)
            with pytest.raises(TypeError, match="masked_array"):
                np.ma.getdata(array)
        assert not hasattr(plain, "data")
        for name in ("data", "reshape", "_mask"):
            with pytest.raises(TypeError, match="masked_array"):
                getattr(masked, name)

    def test_numpy_functions_of_masked_arrays_are_lazy(self):
        array = ADAPT(NUMBERS)
        assert not hasattr(array, "__array_function__")
        assert hasattr(ADAPT(WITH_NAN), "__array_function__")
        assert isinstance(np.mean(array), biggus.Array)
        assert isinstance(np.where(array > 3, array, 0), biggus.Array)
        assert np.concatenate([array, array]).shape == (6, 4)


class TestAssignment:
    """Assignment of lazy arrays to arrays of other libraries."""

    @pytest.fixture(params=["numpy", "h5py", "zarr", "netCDF4", "packed netCDF4"])
    def target(self, request, tmp_path):
        library = request.param.split()[-1]
        module = pytest.importorskip(library)

        def make(dtype):
            if library == "numpy":
                return np.zeros(MASK.shape, dtype)
            if library == "h5py":
                file = module.File(tmp_path / "a.h5", "w")
                request.addfinalizer(file.close)
                return file.create_dataset("v", MASK.shape, dtype)
            if library == "zarr":
                return module.create_array({}, shape=MASK.shape, dtype=dtype, chunks=(2, 3))
            file = module.Dataset(tmp_path / "a.nc", "w")
            request.addfinalizer(file.close)
            file.createDimension("y", 3)
            file.createDimension("x", 4)
            variable = file.createVariable("v", dtype, ("y", "x"))
            if "packed" in request.param:
                variable.scale_factor = 0.5
            return variable

        return make

    @pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u4"])
    @pytest.mark.parametrize("kind", ["f8", "i4"])
    def test_missing_values_are_nan_or_refused(self, target, kind, dtype):
        target_array, values = target(dtype), NUMBERS.astype(kind)
        message = ""
        try:
            target_array[...] = ADAPT(values)
        except (TypeError, MaskedValueError) as error:
            message = str(error)
        except RuntimeWarning as error:  # older netCDF4 ignores the error and goes on
            message = f"{error}, and no masked_array"
        if message:
            assert "masked_array" in message
        else:
            np.testing.assert_array_equal(target_array[...], WITH_NAN)

    @pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u4"])
    @pytest.mark.parametrize("kind", ["f8", "i4"])
    def test_filled_values(self, target, kind, dtype):
        target_array, values = target(dtype), NUMBERS.astype(kind)
        target_array[...] = ADAPT(values).filled(9)
        np.testing.assert_array_equal(target_array[...], values.filled(9))

    def test_numpy_save_and_savetxt(self, tmp_path):
        for array in (ADAPT(NUMBERS), ADAPT(WITH_NAN)):
            np.save(tmp_path / "a.npy", array)
            np.savetxt(tmp_path / "a.txt", array)
            for found in (np.load(tmp_path / "a.npy"), np.loadtxt(tmp_path / "a.txt")):
                np.testing.assert_array_equal(found, WITH_NAN)


class TestPandas:
    @pytest.fixture
    def pd(self):
        return pytest.importorskip("pandas")

    def test_series_and_frames(self, pd):
        line = ADAPT(NUMBERS)[0]
        for made in (pd.Series(line), pd.Index(line), pd.DataFrame({"a": line})["a"]):
            np.testing.assert_array_equal(np.asarray(made), WITH_NAN[0])
        np.testing.assert_array_equal(pd.DataFrame(ADAPT(NUMBERS)).values, WITH_NAN)
        np.testing.assert_array_equal(pd.isna(ADAPT(NUMBERS)), MASK)
        days = BY_DTYPE["M8[D]"].astype("M8[s]")
        np.testing.assert_array_equal(pd.Series(ADAPT(days)[0]).isna(), MASK[0])
        for make in (pd.Series, pd.Index, pd.isna):
            with pytest.raises(MaskedValueError):
                make(ADAPT(NUMBERS.astype("i8"))[0])


class TestMatplotlib:
    @pytest.fixture
    def axes(self):
        pytest.importorskip("matplotlib").use("Agg")
        figure = pytest.importorskip("matplotlib.figure").Figure()
        yield figure.add_subplot()
        figure.canvas.draw()

    def test_lines(self, axes):
        (line,) = axes.plot(ADAPT(NUMBERS)[0])
        np.testing.assert_array_equal(line.get_xydata()[:, 1], WITH_NAN[0])
        (line,) = axes.plot(ADAPT(NUMBERS.astype("i8"))[0])
        np.testing.assert_array_equal(line.get_xydata()[:, 1], WITH_NAN[0])

    def test_images(self, axes):
        for draw in (axes.imshow, axes.pcolormesh):
            shown = draw(ADAPT(NUMBERS)).get_array()
            np.testing.assert_array_equal(np.ma.getmaskarray(shown).reshape(3, 4), MASK)

    def test_functions_that_need_a_mask_suggest_masked_array(self, axes):
        for draw in (axes.contourf, lambda a: axes.scatter(a, a)):
            with pytest.raises(TypeError, match="masked_array"):
                draw(ADAPT(NUMBERS))

    def test_bars(self, axes):
        heights = [bar.get_height() for bar in axes.bar(range(3), ADAPT(WITH_NAN)[:, 0])]
        assert heights == [1, 5, 9]

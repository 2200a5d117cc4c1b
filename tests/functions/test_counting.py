"""NumPy's functions that count, fit and interpolate are lazy and match NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surface import assert_same, check, lazy

import biggus

CALLS = {
    "linspace": lambda a: np.linspace(a, 5, 4),
    "linspace along an axis": lambda a: np.linspace(0, a, 3, endpoint=False, axis=-1),
    "linspace of integers": lambda a: np.linspace(a, 9, 5, dtype=int),
    "linspace with count 0": lambda a: np.linspace(a, 9, 0),
    "linspace with a negative count": lambda a: np.linspace(a, 9, -1),
    "linspace with retstep": lambda a: np.linspace(a, a + 3, 5, retstep=True),
    "logspace": lambda a: np.logspace(a, 2, 3, base=2),
    "geomspace": lambda a: np.geomspace(a + 1, 64, 4),
    "geomspace along an axis": lambda a: np.geomspace(a + 1, 64, 4, axis=-1),
    "lexsort": lambda a: np.lexsort((a, a % 2)),
    "lexsort along an axis": lambda a: np.lexsort((a % 3, a), axis=0),
    "lexsort of rows": np.lexsort,
    "lexsort of different shapes": lambda a: np.lexsort((a, a[:1, ...])),
    "searchsorted": lambda a: np.searchsorted(np.arange(9) * 2, a, "right"),
    "searchsorted in a lazy array": lambda a: np.searchsorted(np.sort(a), [3, 0, 9]),
    "searchsorted of a scalar": lambda a: np.searchsorted(np.sort(a), 4, side="right"),
    "searchsorted with an invalid side": lambda a: np.searchsorted(
        np.sort(a), [[3], [9]], side="middle"
    ),
    "histogram2d": lambda a: np.histogram2d(a, a * 2 % 5, 3),
    "histogram2d of edges": lambda a: np.histogram2d(a, a, [[0, 2, 5], [1, 3]]),
    "histogram2d with common edges": lambda a: np.histogram2d(a, a % 3, [0, 1, 4, 9], density=True),
    "histogram2d of different lengths": lambda a: np.histogram2d(a, a[1:]),
    "histogramdd": lambda a: np.histogramdd(a, 2),
    "histogramdd of a range": lambda a: np.histogramdd((a, a % 4), (2, 3), [(0, 8), (1, 3)]),
    "histogramdd with weights": lambda a: np.histogramdd((a, a % 4), 2, weights=a),
    "histogramdd without bins": lambda a: np.histogramdd(a, 0),
    "polyfit": lambda a: np.polyfit(np.arange(len(a)), a, 2),
    "polyfit with lazy x and y": lambda a: np.polyfit(a + np.arange(len(a)) * 2, a % 3, 1),
    "polyfit with weights": lambda a: np.polyfit(np.arange(len(a)), a, 1, w=np.arange(len(a)) + 1),
    "polyfit of different lengths": lambda a: np.polyfit(np.arange(3), a, 1),
    "polyfit of negative degree": lambda a: np.polyfit(np.arange(len(a)), a, -1),
    "lstsq": lambda a: np.linalg.lstsq(a + np.eye(*a.shape) * 3, a),
    "lstsq of a vector": lambda a: np.linalg.lstsq(a + np.eye(*a.shape) * 3, a[:, 0]),
    "unpackbits": lambda a: np.unpackbits(a, axis=0, count=5),
    "unpackbits of all": lambda a: np.unpackbits(a, bitorder="little"),
}

EXACT = {name for name in CALLS if name.startswith(("lexsort", "search", "unpack"))}


@pytest.mark.parametrize("shape", [(7,), (5, 3), (0,), ()], ids=str)
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::numpy.exceptions.RankWarning")
def test_function_is_lazy_and_matches_numpy(name, shape):
    for dtype in ("f8", "i4", "u1"):
        values = np.random.default_rng(1).integers(0, 9, shape).astype(dtype)
        if not values.size and name.startswith(("polyfit", "histogram", "unpackbits")):
            continue  # NumPy returns uninitialized memory for empty arrays
        if name == "linspace along an axis" and dtype == "u1":
            continue
        check(CALLS[name], values, name in EXACT)


@pytest.mark.parametrize("dtype", ["f4", "f8", "u1"])
def test_histograms_of_no_values_have_the_edges_of_numpy(dtype):
    check(lambda a: np.histogramdd(a, 3), np.zeros((0, 2), dtype))
    check(lambda a: np.histogram2d(a, a, [3, [1, 2]]), np.zeros(0, dtype))


@settings(max_examples=15)
@given(st.lists(st.integers(0, 9)), st.integers(0, 12), st.booleans())
def test_bincount(numbers, least, weighted):
    values = np.array(numbers, "i4")
    keywords = {"weights": np.arange(len(values)) / 4} if weighted else {}
    source, array = lazy(values)
    found = np.bincount(array, minlength=least, **keywords)
    read = len(source.boxes)
    assert_same(found, np.bincount(values, minlength=least, **keywords))
    assert bool(read) == bool(numbers)  # the maximum is read


@pytest.mark.parametrize("values", [[-1, 2], [0.5], [[1, 2]]], ids=repr)
def test_bincount_raises_as_numpy(values):
    values = np.asarray(values)
    with pytest.raises((ValueError, TypeError)) as theirs:
        np.bincount(values)
    with pytest.raises(type(theirs.value)):
        np.bincount(biggus.ArrayAdapter(values))


@pytest.mark.parametrize("trim", ["fb", "f", "b"])
@pytest.mark.parametrize("values", [[0, 0, 1, 0, 2, 0], [0, 0], [], [3]], ids=repr)
def test_trim_zeros(trim, values):
    values = np.array(values, float)
    theirs = np.trim_zeros(values, trim)
    np.testing.assert_array_equal(np.trim_zeros(lazy(values)[1], trim).ndarray(), theirs)


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.2.0", reason="NumPy compared values with 0"
)
@pytest.mark.parametrize("dtype", ["?", "c8", "M8[s]", "m8[s]", "S2", "U2", "O"])
def test_trim_zeros_trims_what_is_false(dtype):
    values = np.array([0, 1, 0, 2, 0]).astype(dtype)
    if values.dtype.kind in "SU":
        values[[0, -1]] = ""
    theirs = np.trim_zeros(values)
    np.testing.assert_array_equal(np.trim_zeros(lazy(values)[1]).ndarray(), theirs)


def test_real_if_close():
    for values in (np.array([1 + 1e-15j, 2]), np.array([1 + 1e-3j]), np.array([1.0, 2])):
        assert_same(np.real_if_close(lazy(values)[1]), np.real_if_close(values))


def test_ufunc_where_argument():
    values = np.arange(6.0).reshape(2, 3)
    source, array = lazy(values)
    found = np.sqrt(array, where=array > 2)
    whole, rest = np.divmod(array, 2, where=values > 2)
    assert not source.boxes
    expected = np.where(values > 2, np.sqrt(values), np.nan)
    np.testing.assert_array_equal(found.ndarray(), expected)
    np.testing.assert_array_equal(whole.ndarray(), np.where(values > 2, values // 2, np.nan))
    np.testing.assert_array_equal(rest.ndarray(), np.where(values > 2, values % 2, np.nan))
    out = np.full((2, 3), -1.0)
    assert np.sqrt(array, where=array > 2, out=out) is out
    np.testing.assert_array_equal(out, np.where(values > 2, np.sqrt(values), -1))
    with pytest.raises(TypeError, match=r"biggus\.where"):
        np.add(lazy(np.arange(3))[1], 1, where=[True, False, True])


def test_sum_with_out_argument():
    values = np.arange(6.0).reshape(2, 3)
    out = np.empty(3)
    assert np.sum(lazy(values)[1], axis=0, out=out) is out
    np.testing.assert_array_equal(out, values.sum(0))


@pytest.mark.parametrize(
    ("change", "replacement"),
    [
        (lambda a: np.put(a, 0, 1), "numpy.where"),
        (lambda a: np.place(a, np.array([True, False]), 1), "biggus.where"),
        (lambda a: np.putmask(a, np.array([True, False]), 1), "biggus.where"),
        (lambda a: np.fill_diagonal(a, 1), "numpy.eye"),
        (lambda a: np.put_along_axis(a, np.array([0]), 1, 0), "numpy.where"),
    ],
)
def test_in_place_functions_raise_with_advice(change, replacement):
    source, array = lazy(np.zeros(2))
    with pytest.raises(TypeError, match=f"does not change.*{replacement}"):
        change(array)
    assert not source.boxes


@pytest.mark.parametrize("memory", ["1 GB", "1 kB"])
@pytest.mark.parametrize("shape", [(4, 5, 6), (7,), (), (0, 3)], ids=str)
def test_numpy_save_and_savez(tmp_path, memory, shape):
    values = np.random.default_rng(1).random(shape)
    array = biggus.ArrayAdapter(values, chunks=tuple(max(1, n // 2) for n in shape))
    with biggus.set_options(memory=memory):
        np.save(tmp_path / "a", array)
        np.savez(tmp_path / "b.npz", array, named=array, other=[1, 2])
        with (tmp_path / "c.npy").open("wb") as file:
            np.save(file, array)
    for name in ("a.npy", "c.npy"):
        np.testing.assert_array_equal(np.load(tmp_path / name), values)
    with np.load(tmp_path / "b.npz") as found:
        np.testing.assert_array_equal(found["arr_0"], values)
        np.testing.assert_array_equal(found["named"], values)
        np.testing.assert_array_equal(found["other"], [1, 2])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "b.npz", "c.npy"]


@pytest.mark.parametrize("memory", ["1 GB", "1 kB"])
@pytest.mark.parametrize("shape", [(40, 3), (50,), (0,)], ids=str)
def test_savetxt_writes_the_text_of_numpy(tmp_path, memory, shape):
    values = np.random.default_rng(1).random(shape)
    keywords = {"header": "a\nb", "footer": "end", "fmt": "%.3f", "delimiter": ","}
    np.savetxt(tmp_path / "theirs", values, **keywords)
    chunks = None if 0 in shape else values.shape
    with biggus.set_options(memory=memory):
        np.savetxt(tmp_path / "ours", biggus.ArrayAdapter(values, chunks=chunks), **keywords)
    assert (tmp_path / "ours").read_text() == (tmp_path / "theirs").read_text()

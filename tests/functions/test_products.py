"""NumPy's products, weighted averages and covariances are lazy and match NumPy."""

import itertools

import numpy as np
import pytest
from surface import assert_same, check, lazy, outcome

import biggus
from biggus.testing.checks import case

SHAPES = [(), (3,), (3, 3), (2, 3), (4, 2, 3), (2, 3, 3, 2), (0, 3), (3, 0)]
DTYPES = ["f8", "i2", "?", "c16", "f4"]

UNARY = {
    "times itself": lambda a: a @ a,
    "times its transpose": lambda a: a @ np.swapaxes(a, -1, -2),
    "dot": lambda a: np.dot(a, a),
    "dot a vector": lambda a: np.dot(a, np.arange(a.shape[-1])),
    "inner": lambda a: np.inner(a, a),
    "vdot": lambda a: np.vdot(a, a + a),
    "outer": lambda a: np.outer(a, a),
    "kron": lambda a: np.kron(a, a[..., :2]),
    "tensordot": lambda a: np.tensordot(a, a, 0),
    "tensordot over one axis": lambda a: np.tensordot(a, np.swapaxes(a, 0, -1), 1),
    "tensordot over two axes": lambda a: np.tensordot(a, a, ([0, 1], [0, 1])),
    "tensordot of different lengths": lambda a: np.tensordot(a, a[:1], ([0], [0])),
    "vecdot": lambda a: np.vecdot(a, a),
    "cross": lambda a: np.cross(a, np.flip(a, -1)) if a.shape[-1:] != (2,) else a,
    "einsum of a trace": lambda a: np.einsum("ii", a),
    "einsum of a diagonal": lambda a: np.einsum("ii->i", a[:, : a.shape[0]]),
    "einsum transposed": lambda a: np.einsum("ij->ji", a),
    "einsum of a product": lambda a: np.einsum("ij,kj->ik", a, a),
    "einsum of three": lambda a: np.einsum("ij,kj,lj->il", a, a, a),
    "einsum with ellipsis": lambda a: np.einsum("...i,...i->...", a, a),
    "einsum of a sum": lambda a: np.einsum("i...->...", a),
    "einsum without output": lambda a: np.einsum("ji", a),
    "einsum of different lengths": lambda a: np.einsum("ij,j", a, np.ones(7)),
    "einsum with an unknown output index": lambda a: np.einsum("ij->ik", a),
    "average": lambda a: np.average(a, axis=0),
    "average of weights": lambda a: np.average(a, axis=-1, weights=np.arange(a.shape[-1]) + 1),
    "average along the first axis": lambda a: np.average(a, axis=0, weights=np.ones(a.shape)),
    "average of everything": lambda a: np.average(a, weights=np.ones(a.shape)),
    "average and sum of weights": lambda a: np.average(
        a, axis=0, weights=[1, 2, 1][: a.shape[0]], returned=True
    ),
    "cov": np.cov,
    "cov of columns": lambda a: np.cov(a, rowvar=False, bias=True),
    "cov of weights": lambda a: np.cov(a, fweights=np.arange(a.shape[-1]) + 1),
    "cov of other weights": lambda a: np.cov(a, aweights=np.arange(a.shape[-1]) + 1.5, ddof=1),
    "cov with y": lambda a: np.cov(a, a[::-1]),
    "add.outer": lambda a: np.add.outer(a, a[:2]),
    "add.reduce": np.add.reduce,
    "multiply.reduce": lambda a: np.multiply.reduce(a, axis=-1, keepdims=True),
    "maximum.reduce": lambda a: np.maximum.reduce(a, axis=None),
    "logical_or.reduce": lambda a: np.logical_or.reduce(a, axis=0),
    "add.accumulate": lambda a: np.add.accumulate(a, axis=-1),
    "maximum.accumulate": np.maximum.accumulate,
}
if hasattr(np, "matvec"):
    UNARY |= {
        "matvec": lambda a: np.matvec(a, np.arange(a.shape[-1])),
        "vecmat": lambda a: np.vecmat(np.arange(a.shape[-2]) * 1j, a),
    }


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_function_is_lazy_and_matches_numpy(name):
    for shape, dtype in itertools.product(SHAPES, DTYPES):
        values = np.random.default_rng(1).integers(0, 9, shape).astype(dtype)
        with case(shape=shape, dtype=dtype):
            check(UNARY[name], values, exact=False)


@pytest.mark.parametrize("memory", ["1 GB", "4 MB"])
@pytest.mark.parametrize(
    "shapes", [((300, 40), (40, 7)), ((7, 40), (40, 300)), ((90, 80), (80, 90))]
)
def test_matmul_of_any_shape_in_any_memory(memory, shapes):
    a, b = (np.random.default_rng(1).random(shape) for shape in shapes)
    with biggus.set_options(memory=memory, workers=1):
        (first, one), (second, other) = lazy(a), lazy(b)
        product = one @ other
        assert not first.boxes + second.boxes
        np.testing.assert_allclose(product.ndarray(), a @ b)


def test_corrcoef():
    values = np.random.default_rng(1).random((3, 20))
    assert_same(np.corrcoef(lazy(values)[1]), np.corrcoef(values), exact=False)


# Statistics with where= and initial= -----------------------------------------------

CHOSEN = {
    f"{name} {axis} {more}": lambda a, name=name, axis=axis, more=more: getattr(np, name)(
        a, axis=axis, where=np.arange(a.size).reshape(a.shape) % 3 != 1, **more
    )
    for name, several in {
        "sum": [{}, {"initial": 5}],
        "prod": [{}, {"initial": 2, "keepdims": True}],
        "max": [{}, {"initial": 3}],
        "min": [{"initial": 3}],
        "any": [{}],
        "all": [{"keepdims": True}],
        "mean": [{}, {"keepdims": True}],
        "var": [{}, {"ddof": 1}, {"correction": 1}],
        "std": [{"ddof": 1, "keepdims": True}, {"correction": 5}],
        "nansum": [{"initial": 1}],
    }.items()
    for axis in (None, 0, -1)
    for more in several
}


@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_statistics_with_where_and_initial(name):
    for dtype in DTYPES:
        for shape in ((7,), (3, 4), (2, 3, 4)):
            values = np.random.default_rng(1).integers(0, 9, shape).astype(dtype)
            check(CHOSEN[name], values, exact=False)


def test_statistics_with_a_lazy_where():
    values = np.arange(12.0).reshape(3, 4)
    _, array = lazy(values)
    assert_same(array.mean(axis=0, where=array > 3), np.mean(values, axis=0, where=values > 3))
    assert_same(array.sum(initial=3), np.sum(values, initial=3))


def test_ufunc_with_out_argument():
    values = np.arange(12.0).reshape(3, 4)
    _, array = lazy(values)
    total = values.copy()
    total += array
    np.testing.assert_array_equal(total, 2 * values)
    assert np.multiply(array, total, out=total) is total
    np.testing.assert_array_equal(total, 2 * values**2)
    counts = np.zeros((3, 4), "i4")
    assert isinstance(outcome(lambda a: np.add(a, 0.5, out=counts), array), TypeError)
    assert isinstance(outcome(lambda a: np.add(a, 1, out=total[0]), array), ValueError)


@pytest.mark.parametrize("shapes", [((4, 5), (5, 3)), ((2, 4, 5), (5, 3)), ((5,), (5, 3))], ids=str)
@pytest.mark.parametrize("memory", ["1 GB", "2 kB"])
def test_matmul_of_masked_arrays_matches_numpy_ma(shapes, memory):
    random = np.random.default_rng(1)
    first, second = [np.ma.masked_less(random.random(shape), 0.6) for shape in shapes]
    first[..., :1] = second[:, :1] = np.ma.masked
    first[-1] = np.ma.masked
    source, array = lazy(first)
    with biggus.set_options(memory=memory):
        found = array @ biggus.ArrayAdapter(second)
        assert not source.boxes
        ours = found.masked_array()
    rows = first.reshape(-1, 5)
    theirs = np.ma.dot(rows, second).reshape(found.shape)
    np.testing.assert_array_equal(ours.mask, np.ma.getmaskarray(theirs))
    np.testing.assert_allclose(ours.filled(0), theirs.filled(0))


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_missing_values_have_no_weight_in_averages(axis, keepdims):
    random = np.random.default_rng(1)
    values = np.ma.masked_less(random.random((5, 6)), 0.4)
    values[2] = np.ma.masked
    weights = random.random((5, 6))
    for given in (None, weights, np.ma.masked_less(weights, 0.3)):
        # Without weights, numpy.ma cannot keep axes.
        how = {"axis": axis, "returned": True, "keepdims": keepdims and given is not None}
        lazily = lazy(given)[1] if np.ma.isMaskedArray(given) else given
        ours = np.average(lazy(values)[1], weights=lazily, **how)
        theirs = np.ma.average(values, weights=given, **how)
        missing = np.ma.getmaskarray(theirs[0])
        np.testing.assert_array_equal(np.ma.getmaskarray(ours[0].masked_array()), missing)
        for one, other in zip(ours, theirs, strict=True):
            found = one.masked_array()
            np.testing.assert_allclose(found[~missing], np.ma.asarray(other)[~missing])


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.1.0",
    reason="numpy.ma returned covariances of too few pairs",
)
@pytest.mark.parametrize("rowvar", [True, False])
@pytest.mark.parametrize("other", ["none", "masked", "plain", "shorter"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_covariances_of_missing_values_match_numpy_ma(rowvar, other):
    random = np.random.default_rng(2)
    values, more = random.random((2, 6, 7))
    values = np.ma.masked_less(values, 0.4)
    values[1] = np.ma.masked
    second = {"none": None, "masked": np.ma.masked_less(more, 0.3), "plain": more}
    second["shorter"] = np.ma.masked_less(more[:2] if rowvar else more[:, :2], 0.3)
    y = second[other]
    lazily = None if y is None else lazy(y)[1]
    for ddof in (None, 0, 3):
        theirs = np.ma.cov(values, y, rowvar, ddof=ddof)
        ours = np.cov(lazy(values)[1], lazily, rowvar, ddof=ddof).masked_array()
        np.testing.assert_array_equal(ours.mask, np.ma.getmaskarray(theirs))
        np.testing.assert_allclose(ours.filled(0), theirs.filled(0), atol=1e-12)
    theirs = np.clip(np.ma.corrcoef(values, y, rowvar), -1, 1)
    ours = np.corrcoef(lazy(values)[1], lazily, rowvar).masked_array()
    np.testing.assert_allclose(ours.filled(0), theirs.filled(0), atol=1e-12)
    with pytest.raises(TypeError, match="takes no weights"):
        np.cov(lazy(values)[1], lazily, rowvar, aweights=np.ones(values.shape[int(rowvar)]))

"""NumPy's transforms, linear algebra and index functions are lazy and match NumPy."""

import numpy as np
import pytest
from surface import check, lazy, outcome

import biggus

SHAPES = [(4,), (4, 4), (3, 4), (2, 3, 3), (0, 4), ()]
DTYPES = ["f8", "c16", "i2"]

FOURIER = {
    **{
        f"{name} {keywords}": lambda a, name=name, keywords=keywords: getattr(np.fft, name)(
            a, **keywords
        )
        for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
        for keywords in ({}, {"axis": 0}, {"n": 3}, {"n": 7, "norm": "ortho"}, {"n": 0})
    },
    **{
        f"{name} {keywords}": lambda a, name=name, keywords=keywords: getattr(np.fft, name)(
            a, **keywords
        )
        for name in ("fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn")
        for keywords in ({}, {"axes": (0,)}, {"s": (3, 5), "axes": (-1, 0)}, {"norm": "forward"})
    },
    "fftshift": lambda a: np.fft.fftshift(a[None]),
    "fftshift along an axis": lambda a: np.fft.fftshift(a, 0),
    "ifftshift": lambda a: np.fft.ifftshift(a, axes=(-1,)),
}

MATRICES = {
    **{
        name: lambda a, name=name: getattr(np.linalg, name)(a)
        for name in ("det", "inv", "pinv", "cond")
    },
    "matrix_rank": lambda a: np.linalg.matrix_rank(a[..., None, :]),
    "slogdet": lambda a: np.linalg.slogdet(a).logabsdet,
    "eigvalsh": lambda a: np.linalg.eigvalsh(a + np.swapaxes(np.conj(a) + 0, -1, -2)),
    "eigh": lambda a: np.linalg.eigh(a + np.swapaxes(np.conj(a) + 0, -1, -2))[0],
    "qr": lambda a: abs(np.linalg.qr(a).R),
    "svd": lambda a: np.linalg.svd(a, full_matrices=False).S,
    "svd without vectors": lambda a: np.linalg.svd(a, compute_uv=False),
    "solve": lambda a: np.linalg.solve(a, np.ones((a.shape[-1], 2))),
    "solve a column": lambda a: np.linalg.solve(a, np.arange(a.shape[-1])),
    **{
        f"norm {keywords}": lambda a, keywords=keywords: np.linalg.norm(a, **keywords)
        for keywords in (
            *({}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"ord": 1}, {"ord": "fro"}),
            *({"ord": np.inf, "axis": 0}, {"ord": 0, "axis": -1}, {"ord": 3, "axis": 0}),
            *({"ord": 2}, {"ord": "nuc", "axis": (0, 1)}, {"ord": -1, "axis": (-2, -1)}),
            *({"ord": "x"}, {"ord": -np.inf, "axis": (0, 1), "keepdims": True}),
        )
    },
}

PLACES = {
    "take_along_axis": lambda a: np.take_along_axis(a, np.argsort(a, axis=-1), -1),
    "take_along_axis of rows": lambda a: np.take_along_axis(a, np.zeros(a[:2].shape, int), 0),
    "take_along_axis with float indices": lambda a: np.take_along_axis(a, a * 0.5, 0),
    "meshgrid": lambda a: np.meshgrid(a, np.arange(3)),
    "meshgrid ij": lambda a: np.meshgrid(np.arange(2), a, a, indexing="ij", sparse=True),
    "vander": np.vander,
    "vander upwards": lambda a: np.vander(a, 3, increasing=True),
    "sort_complex": np.sort_complex,
    "ravel_multi_index": lambda a: np.ravel_multi_index((a.astype("i4"), a.astype("i8")), (9, 9)),
    "packbits": np.packbits,
    "packbits along an axis": lambda a: np.packbits(a > 3, axis=0, bitorder="little"),
    "copy": np.copy,
}


@pytest.mark.parametrize("name", [*FOURIER, *MATRICES, *PLACES])
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_function_is_lazy_and_matches_numpy(name):
    call = {**FOURIER, **MATRICES, **PLACES}[name]
    for shape in SHAPES:
        if 0 in shape and name in MATRICES:
            continue  # norms of empty matrices differ between versions of NumPy
        for dtype in DTYPES:
            values = np.random.default_rng(1).integers(1, 9, shape).astype(dtype)
            check(call, values, exact=False)


def test_fft_of_a_row_reads_only_that_row():
    source, array = lazy(np.random.default_rng(1).random((6, 8)))
    found = np.fft.rfft(array)[2]
    assert not source.boxes
    found.ndarray()
    assert all(box[0] == slice(2, 3, 1) for box in source.boxes)


def test_functions_of_metadata_read_nothing():
    source, array = lazy(np.zeros((3, 3)))
    assert np.einsum_path("ij,jk", array, array)[0]
    assert not np.shares_memory(array, array)
    assert "biggus.Array" in np.array_repr(array)
    assert not source.boxes


def test_copyto():
    values = np.arange(4.0)
    target = np.zeros(4)
    np.copyto(target, lazy(values)[1], where=[True, False, True, True])
    assert target.tolist() == [0, 0, 2, 3]
    assert isinstance(outcome(lambda a: np.copyto(a, values), lazy(values)[1]), TypeError)


def test_ix_():
    _, array = lazy(np.array([True, False, True]))
    rows, columns = np.ix_(array, np.array([1, 2]))
    assert rows.ndarray().tolist() == [[0], [2]]
    assert isinstance(columns, biggus.Array)


@pytest.mark.parametrize("name", ["tril_indices_from", "triu_indices_from", "diag_indices_from"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2), (1, 1), (0, 3), (3, 0), (3,), (2, 2, 2)])
def test_triangle_and_diagonal_indices(name, shape):
    values = np.zeros(shape)
    check(getattr(np, name), values)
    for k in () if name.startswith("diag") else (-9, -2, -1, 1, 2, 9):
        check(lambda a, k=k: getattr(np, name)(a, k), values)
        check(lambda a, k=k: getattr(np, name)(a, k=k)[1][::-2], values)


def test_indices_of_a_large_triangle_are_lazy():
    rows, columns = np.tril_indices_from(biggus.ConstantArray((10**6, 10**6)))
    assert rows.shape == ((10**12 + 10**6) // 2,)
    assert (rows[[0, 1, -1]].ndarray().tolist(), columns[-1].item()) == (
        [0, 1, 10**6 - 1],
        10**6 - 1,
    )

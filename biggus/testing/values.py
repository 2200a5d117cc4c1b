"""Sample values for tests, which include the extremes of every dtype; and their comparison."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

_WORDS = ("", "a", "sea ice", "0", "nan", "Zürich", "氷", "\N{SNOWFLAKE}\N{SNOWMAN}", " lead")


def sample_values(shape: tuple[int, ...], dtype: npt.DTypeLike, seed: int = 0) -> npt.NDArray[Any]:
    """Return pseudo-random values that include the extremes of the dtype.

    Integers cover the whole range of the dtype.  Floats include NaN, infinities, negative zero
    and subnormal numbers; times include NaT; strings include empty ones, trailing blanks, and
    letters beyond ASCII if they fit.

    Parameters
    ----------
    shape : tuple of int
        The shape of the values.
    dtype : dtype
        A dtype of fixed size, or ``object`` for strings of any length.
    seed : int, optional
        The seed.  The same shape, dtype and seed give the same values.

    Returns
    -------
    ndarray
        A C-contiguous, writable array.

    Examples
    --------
    >>> values = sample_values((2, 3), ">f2")
    >>> values.shape, values.dtype
    ((2, 3), dtype('>f2'))
    """
    dtype = np.dtype(dtype)
    # Not hash(), which differs between processes.
    rng = np.random.default_rng([seed, zlib.crc32(repr((dtype.str, shape)).encode())])
    return _fill(rng, shape, dtype)


def _fill(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    values = np.empty(shape, dtype)
    if dtype.names is not None:
        for name in dtype.names:
            part = values[name]
            part[...] = _fill(rng, part.shape, part.dtype)
        return values
    size = math.prod(shape)
    flat = _flat(rng, size, dtype)
    edges = _edges(dtype)
    if size and edges.size:
        # About a third of the values are extremes, at random positions.
        where = np.flatnonzero(rng.random(size) < 0.34)
        flat[where] = edges[rng.integers(edges.size, size=where.size)]
    values[...] = flat.reshape(shape)
    return values


def _flat(rng: np.random.Generator, size: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    match dtype.kind:
        case "b":
            return rng.integers(0, 2, size).astype(dtype)
        case "i" | "u":
            return np.frombuffer(rng.bytes(size * dtype.itemsize), dtype).copy()
        case "f":
            return (rng.standard_normal(size) * 100).astype(dtype)
        case "c":
            pair = rng.standard_normal((2, size)) * 100
            return np.asarray(pair[0] + 1j * pair[1], dtype)
        case "m" | "M":
            return np.asarray(rng.integers(-(2**40), 2**40, size), "i8").astype(dtype)
        case "O" | "U":
            words = np.array(_WORDS, object)
            return np.asarray(words[rng.integers(words.size, size=size)], dtype)
        case "S":
            words = np.array([word.encode() for word in _WORDS], object)
            return np.asarray(words[rng.integers(words.size, size=size)], dtype)
        case "V":
            return np.frombuffer(rng.bytes(size * dtype.itemsize), dtype).copy()
    raise TypeError(f"there are no sample values of dtype {dtype}")


def _edges(dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    match dtype.kind:
        case "i" | "u":
            info = np.iinfo(dtype)
            return np.array([info.min, info.max, 0, 1, info.max - 1], dtype)
        case "f":
            return _float_edges(dtype)
        case "c":
            parts = _float_edges(np.dtype(f"f{dtype.itemsize // 2}"))
            edges = np.zeros(parts.size * 2, dtype)
            edges.real[: parts.size] = parts
            edges.imag[parts.size :] = parts
            return edges
        case "m" | "M":
            return np.array([np.iinfo("i8").min, 0, 1]).astype(dtype)
    return np.empty(0, dtype)


def _float_edges(dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    info = np.finfo(dtype)
    edges = [np.nan, np.inf, -np.inf, 0.0, -0.0, info.max, info.min, info.tiny]
    edges.append(info.smallest_subnormal)
    return np.array(edges, dtype)


def assert_same(got: Any, expected: Any) -> None:
    """Assert that two arrays are equal to the last bit.

    Dtype with byte order, shape, mask and values are compared, NaN by their bits.  Padding and
    masked values are ignored.

    Parameters
    ----------
    got, expected : ndarray or MaskedArray
        The arrays to compare.

    Raises
    ------
    AssertionError
        If the arrays differ; the message names the first difference.
    """
    assert isinstance(got, np.ndarray), f"got a {type(got).__name__}, not an array"
    assert got.dtype == expected.dtype, f"got dtype {got.dtype} instead of {expected.dtype}"
    assert got.shape == expected.shape, f"got shape {got.shape} instead of {expected.shape}"
    mask, expected_mask = np.ma.getmaskarray(got), np.ma.getmaskarray(expected)
    _assert_equal(mask, expected_mask, "the mask")
    hidden = expected_mask if mask.dtype == bool else np.zeros(mask.shape, bool)
    _assert_bits(np.ma.getdata(got), np.ma.getdata(expected), hidden, "the values")


def _assert_bits(
    got: npt.NDArray[Any], expected: npt.NDArray[Any], hidden: npt.NDArray[np.bool_], subject: str
) -> None:
    if got.dtype.names is not None:
        for name in got.dtype.names:
            extra = got[name].ndim - hidden.ndim
            over = hidden.reshape(hidden.shape + (1,) * extra)
            over = np.broadcast_to(over, got[name].shape)
            _assert_bits(got[name], expected[name], over, f"{subject} of field {name!r}")
        return
    if got.dtype.hasobject:
        _assert_equal(got[~hidden], expected[~hidden], subject)
        types = [list(map(type, array[~hidden])) for array in (got, expected)]
        assert types[0] == types[1], f"{subject} are objects of other types"
        return
    bits = f"V{got.dtype.itemsize}" if got.dtype.itemsize else "V1"
    pair = [np.ascontiguousarray(array[~hidden]).view(bits) for array in (got, expected)]
    _assert_equal(pair[0], pair[1], subject, (got[~hidden], expected[~hidden]))


def _assert_equal(
    got: npt.NDArray[Any],
    expected: npt.NDArray[Any],
    subject: str,
    shown: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = None,
) -> None:
    unlike = np.argwhere(np.atleast_1d(got != expected))
    if not unlike.size:
        return
    at = tuple(unlike[0].tolist())
    first = [np.atleast_1d(array)[at] for array in shown or (got, expected)]
    raise AssertionError(
        f"{subject} differ in {len(unlike)} of {got.size} places; first {first[0]!r} instead of "
        f"{first[1]!r}"
    )

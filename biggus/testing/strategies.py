"""Hypothesis strategies: boxes, NumPy keys, dtypes and arrays.

Hypothesis is imported when a strategy is made, so that everything else in
`biggus.testing` does without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from biggus.support.extras import needing
from biggus.testing.keys import Advanced, Basic, Orthogonal
from biggus.testing.values import sample_values

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from biggus.sources.base import Box

Draw: TypeAlias = Callable[..., Any]


def _strategies() -> Any:
    with needing("hypothesis", "testing", "making test cases"):
        from hypothesis import strategies
    return strategies


def _composite(build: Callable[[Draw], Any]) -> Any:
    """Return the strategy of what `build` makes when it is given ``draw``."""

    def drawn(draw: Draw) -> Any:
        return build(draw)

    return _strategies().composite(drawn)()


def shapes(
    min_dims: int = 0, max_dims: int = 4, min_side: int = 0, max_side: int = 6
) -> SearchStrategy[tuple[int, ...]]:
    """Make shapes, of no axes and of empty ones too unless told otherwise."""
    st = _strategies()
    made: SearchStrategy[tuple[int, ...]] = st.lists(
        st.integers(min_side, max_side), min_size=min_dims, max_size=max_dims
    ).map(tuple)
    return made


def boxes(shape: tuple[int, ...]) -> SearchStrategy[Box]:
    """Make boxes of an array: full rank, in bounds, not empty, of positive step.

    Parameters
    ----------
    shape : tuple of int
        The shape of the array; no axis may be empty.

    Raises
    ------
    ValueError
        If an axis is empty: such an array has no boxes.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(boxes((4, 9)))
    ... def check(box):
    ...     assert np.zeros((4, 9))[box].size >= 1
    >>> check()
    """
    if not all(shape):
        raise ValueError(f"an array of shape {shape} has no boxes")
    st = _strategies()

    def one(draw: Draw) -> Box:
        box = []
        for n in shape:
            start = draw(st.one_of(st.just(0), st.integers(0, n - 1)))
            # The simplest box is the whole; then most boxes hold enough to step over.
            stop = n - draw(st.integers(0, n - 1 - start))
            within = st.integers(1, max(1, stop - start - 1))
            # A step may also pass the end.
            step = draw(st.one_of(st.just(1), within, within, st.integers(1, n + 1)))
            box.append(slice(start, stop, step))
        return tuple(box)

    made: SearchStrategy[Box] = _composite(one)
    return made


def basic_keys(shape: tuple[int, ...], invalid: bool = True) -> SearchStrategy[Any]:
    """Make keys of integers, slices, Ellipsis and newaxis, bare or in a tuple.

    Slices have any step and bounds, those beyond the array too.

    Parameters
    ----------
    shape : tuple of int
        The shape of what is indexed.
    invalid : bool, optional
        Whether about one key in eight is one that NumPy refuses.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(basic_keys((3, 4), invalid=False))
    ... def check(key):
    ...     assert np.zeros((3, 4))[key].size <= 12
    >>> check()
    """
    return _keys(Basic, shape, invalid)


def advanced_keys(shape: tuple[int, ...], invalid: bool = True) -> SearchStrategy[Any]:
    """Make keys of all that NumPy takes, integer and boolean arrays included.

    Several arrays broadcast together; they come as ndarrays of many dtypes and
    of none to three axes, as lists and as tuples, with boolean arrays over
    several axes and 0-d booleans among them.  `basic_keys` are a part.

    Parameters
    ----------
    shape : tuple of int
        The shape of what is indexed.
    invalid : bool, optional
        Whether about one key in eight is one that NumPy refuses: out of bounds,
        too many, floats, wrong lengths of masks, shapes that do not broadcast.
    """
    return _keys(Advanced, shape, invalid)


def oindex_keys(shape: tuple[int, ...]) -> SearchStrategy[Any]:
    """Make orthogonal keys: for each axis an integer, a slice or a 1-d selection.

    All are valid; `orthogonal` tells what they select.
    """
    return _keys(Orthogonal, shape, False)


def _keys(kind: type[Basic], shape: tuple[int, ...], invalid: bool) -> SearchStrategy[Any]:
    st = _strategies()
    made: SearchStrategy[Any] = _composite(lambda draw: kind(st, draw, shape).key(invalid))
    return made


def orthogonal(values: npt.NDArray[Any], key: Any) -> npt.NDArray[Any]:
    """Select from `values` by an orthogonal key, one axis after the other.

    Examples
    --------
    >>> orthogonal(np.arange(12).reshape(3, 4), ([0, 2], [True, False, False, True]))
    array([[ 0,  3],
           [ 8, 11]])
    """
    items = list(key) if isinstance(key, tuple) else [key]
    at = next((i for i, item in enumerate(items) if item is Ellipsis), None)
    if at is not None:
        items[at : at + 1] = [slice(None)] * (values.ndim - len(items) + 1)
    axis = 0
    for item in items:
        if isinstance(item, (int, np.integer, slice)):
            values = values[(slice(None),) * axis + (item,)]
            axis += isinstance(item, slice)
            continue
        selected = np.asarray(item)
        if selected.size == 0 and selected.dtype != bool:
            selected = selected.astype(np.intp)
        if selected.dtype == bool:
            selected = np.flatnonzero(selected)
        values = np.take(values, selected, axis=axis)
        axis += 1
    return values


_SCALARS = (
    *("?", "i1", "u1", "<i2", ">i2", "u2", "<i4", ">i4", "u4", "<i8", ">i8", "u8", ">u8"),
    *("<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<c8", ">c8", "<c16", ">c16"),
    *("<M8[D]", "<M8[s]", "<M8[ns]", ">M8[ms]", "<m8[s]", "<m8[ns]", ">m8[h]"),
    *("S1", "S7", "<U1", "<U5", ">U3"),
)


def dtypes(structured: bool = True, kinds: str = "biufcmMSU") -> SearchStrategy[np.dtype[Any]]:
    """Make dtypes: of all sizes and both byte orders, and records of them.

    Parameters
    ----------
    structured : bool, optional
        Whether to make records too, with nested and array fields.
    kinds : str, optional
        The kinds of the scalar dtypes, as in `numpy.dtype.kind`.
    """
    st = _strategies()
    chosen = [dtype for dtype in map(np.dtype, _SCALARS) if dtype.kind in kinds]
    scalars: SearchStrategy[np.dtype[Any]] = st.sampled_from(chosen)
    if not structured:
        return scalars
    field = st.tuples(scalars, st.sampled_from([(), (), (), (2,), (2, 3)]))
    flat = st.lists(field, min_size=1, max_size=4).map(_record)
    nested = st.lists(st.tuples(flat, st.just(())), min_size=1, max_size=2).map(_record)
    made: SearchStrategy[np.dtype[Any]] = st.one_of(scalars, scalars, flat, nested)
    return made


def _record(fields: list[tuple[np.dtype[Any], tuple[int, ...]]]) -> np.dtype[Any]:
    names = "time", "x y", "Größe", "d"
    return np.dtype([(name, *field) for name, field in zip(names, fields, strict=False)])


def arrays(
    dtype: Any = None, shape: tuple[int, ...] | SearchStrategy[tuple[int, ...]] | None = None
) -> SearchStrategy[npt.NDArray[Any]]:
    """Make arrays of `sample_values`, C- or Fortran-ordered.

    The values come from one drawn seed, which is quick at any size; they do
    not shrink one by one.

    Parameters
    ----------
    dtype : dtype or strategy, optional
        Default: `dtypes`.
    shape : tuple of int or strategy, optional
        Default: `shapes`.
    """
    st = _strategies()

    def is_strategy(given: Any) -> bool:
        return hasattr(given, "example")

    dtype = dtypes() if dtype is None else dtype if is_strategy(dtype) else st.just(dtype)
    shape = shapes() if shape is None else shape if is_strategy(shape) else st.just(shape)

    def one(seed: int, shape: tuple[int, ...], dtype: Any, order: Any) -> npt.NDArray[Any]:
        return np.asarray(sample_values(shape, dtype, seed), order=order)

    made: SearchStrategy[npt.NDArray[Any]] = st.builds(
        one, st.integers(0, 2**16), shape, dtype, st.sampled_from("CF")
    )
    return made

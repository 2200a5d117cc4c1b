"""What reductions are given besides an array: which axes, and what they do not take."""

from __future__ import annotations

from typing import Any

import numpy as np

from biggus.sources.normal import normal_axes, refuse_names

_WAYS_ROUND = {
    "out": "a lazy array has no values yet: save it, or call .ndarray()",
    "where": "mask what is to be left out, or put something neutral there with biggus.where",
    "initial": "combine it with the result, which is lazy as well",
    "weights": "every value counts once",
    "mean": "it is computed in the same pass over the data",
}

NOT_GIVEN: Any = np._NoValue  # noqa: SLF001
"""What NumPy passes on for an argument that it was not given."""

_ABSENT: tuple[Any, ...] = (None, True, NOT_GIVEN)
"""What stands for an argument that is not given, whichever of these it is."""


def refuse(name: str, **given: Any) -> None:
    """Refuse what is there for its place in NumPy's signature, if it is given.

    Raises
    ------
    TypeError
        Which says what to do instead.
    """
    for word, value in given.items():
        if not any(value is absent for absent in _ABSENT):
            raise TypeError(f"{name} of a lazy array takes no {word}=: {_WAYS_ROUND[word]}")


def reduced_axes(
    name: str, ndim: int, axis: Any, keepdims: Any, *more: Any, dtype: Any = np.float64
) -> tuple[tuple[int, ...], bool]:
    """Return the axes that are meant, ascending, and whether they stay.

    Parameters
    ----------
    name : str
        The function of NumPy's, or of np.ma, that is to take them.
    ndim : int
        How many axes there are.
    axis, keepdims : object
        As they were given.
    *more : object
        What the function needs besides.
    dtype : dtype, optional
        That of the values, if it matters.

    Raises
    ------
    AxisError, TypeError, ValueError
        As the function raises.
    """
    refuse_names(axis)
    keepdims = False if keepdims is NOT_GIVEN else keepdims
    function = getattr(np, name, None) or getattr(np.ma, name)
    function(np.ones((1,) * ndim, dtype), *more, axis=axis, keepdims=keepdims)
    if axis is None:
        return tuple(range(ndim)), bool(keepdims)
    if not ndim:
        return (), bool(keepdims)  # of no axes, many functions take the first and the last
    return tuple(sorted(normal_axes(axis, ndim))), bool(keepdims)

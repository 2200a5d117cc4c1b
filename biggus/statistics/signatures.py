"""The signatures of statistics, which are NumPy's, and the arguments that they refuse."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

_WAYS_ROUND = {
    "out": "a lazy array has no values yet: save it, or call .ndarray()",
    "where": "mask the values to leave out, or replace them with biggus.where",
    "initial": "combine it with the result, which is lazy as well",
    "weights": "all values have the same weight",
    "mean": "it is computed in the same pass over the data",
}

NOT_GIVEN: Any = np._NoValue  # noqa: SLF001
"""NumPy's default of arguments that have not been given."""


def refuse(name: str, **arguments: Any) -> None:
    """Refuse arguments that are only there because they are in NumPy's signature.

    Raises
    ------
    TypeError
        If one is given; the message says what to do instead.
    """
    for word, value in arguments.items():
        if not (value is None or value is True or value is NOT_GIVEN):
            raise TypeError(f"{name} of a lazy array takes no `{word}=`: {_WAYS_ROUND[word]}")


class StatisticCall(NamedTuple):
    """The arguments of a statistic."""

    axis: Any
    keepdims: Any
    parameters: dict[str, Any]
    """The parameters of its maker."""

    q: tuple[Any, ...] = ()
    """The quantiles, if it takes any."""


def total(
    name: str,
    axis: Any = None,
    dtype: npt.DTypeLike | None = None,
    out: None = None,
    keepdims: bool = False,
    initial: None = None,
    where: bool = True,
    *,
    mdtol: float = 1,
) -> StatisticCall:
    """Signature of sums and products."""
    refuse(name, out=out, initial=initial, where=where)
    return StatisticCall(axis, keepdims, {"dtype": dtype, "mdtol": mdtol})


def mean(
    name: str,
    axis: Any = None,
    dtype: npt.DTypeLike | None = None,
    out: None = None,
    keepdims: bool = False,
    *,
    where: bool = True,
    mdtol: float = 1,
) -> StatisticCall:
    """Signature of the mean."""
    refuse(name, out=out, where=where)
    return StatisticCall(axis, keepdims, {"dtype": dtype, "mdtol": mdtol})


def spread(
    name: str,
    axis: Any = None,
    dtype: npt.DTypeLike | None = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: bool = True,
    mean: None = None,
    correction: float | None = None,
    mdtol: float = 1,
) -> StatisticCall:
    """Signature of the variance and the standard deviation."""
    refuse(name, out=out, where=where, mean=mean)
    divisor = {"ddof": ddof, "correction": None if correction is NOT_GIVEN else correction}
    return StatisticCall(axis, keepdims, {"dtype": dtype, "mdtol": mdtol, **divisor})


def extreme(
    name: str,
    axis: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: None = None,
    where: bool = True,
    *,
    mdtol: float = 1,
) -> StatisticCall:
    """Signature of the least and the greatest value."""
    refuse(name, out=out, initial=initial, where=where)
    return StatisticCall(axis, keepdims, {"mdtol": mdtol})


def logic(
    name: str,
    axis: Any = None,
    out: None = None,
    keepdims: bool = False,
    *,
    where: bool = True,
    mdtol: float = 1,
) -> StatisticCall:
    """Signature of `any` and `all`."""
    refuse(name, out=out, where=where)
    return StatisticCall(axis, keepdims, {"mdtol": mdtol})


def distance(
    name: str, axis: Any = None, out: None = None, keepdims: bool = False, *, mdtol: float = 1
) -> StatisticCall:
    """Signature of the greatest value less the least."""
    refuse(name, out=out)
    return StatisticCall(axis, keepdims, {"mdtol": mdtol})


def position(
    name: str, axis: int | None = None, out: None = None, *, keepdims: bool = False
) -> StatisticCall:
    """Signature of the positions of extremes."""
    refuse(name, out=out)
    return StatisticCall(axis, keepdims, {})


def count(name: str, axis: Any = None, *, keepdims: bool = False) -> StatisticCall:
    """Signature of counts."""
    return StatisticCall(axis, keepdims, {})


def median(
    name: str,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,  # there is no input to overwrite
    keepdims: bool = False,
) -> StatisticCall:
    """Signature of the median."""
    refuse(name, out=out)
    return StatisticCall(axis, keepdims, {})


def quantile(
    name: str,
    q: npt.ArrayLike,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,  # there is no input to overwrite
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: None = None,
) -> StatisticCall:
    """Signature of quantiles and percentiles."""
    refuse(name, out=out, weights=weights)
    return StatisticCall(axis, keepdims, {"method": method}, (q,))

"""The statistics of ``biggus stats`` and ``biggus plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import biggus
from biggus.cli.joining import MisfitError, axis_of
from biggus.cli.usage import UsageError
from biggus.functions import statistics as functions
from biggus.labels import numbered
from biggus.sources.normal import normal_axes
from biggus.support.similar import did_you_mean

if TYPE_CHECKING:
    import argparse

    from biggus.datasets.facts import Opened

_DEFAULT = ("mean", "std", "min", "max")

_FUNCTIONS = {
    "sum": functions.nansum,
    "mean": functions.nanmean,
    "std": functions.nanstd,
    "var": functions.nanvar,
    "min": functions.nanmin,
    "max": functions.nanmax,
    "median": functions.nanmedian,
}
"""The functions, which skip NaN."""

_OF_FLOATS = ("sum", "mean", "std", "var")
"""Statistics that are computed in double precision."""


def add_statistics(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for statistics and axes."""
    parser.add_argument(
        "--statistics",
        metavar="NAMES",
        help=f"a list of {','.join(_FUNCTIONS)} (default: {','.join(_DEFAULT)})",
    )
    parser.add_argument(
        "--axis",
        metavar="AXES",
        help="reduce along these axes only: numbers or names, such as 0,1 or time (default: all)",
    )


def wanted_statistics(arguments: argparse.Namespace, opened: Opened) -> dict[str, biggus.Array]:
    """Return the lazy statistics that the arguments ask for, by name.

    The first are counts: of the values that are not masked, and of NaN if there can be
    any.

    Raises
    ------
    UsageError
        If a name is unknown.
    MisfitError
        If the dtype has no such statistic, or the array no such axis.
    """
    array = opened.array
    axis = axes_of(arguments, opened)
    statistics = {"count": functions.count(array, axis=axis)}
    if array.dtype.kind in "fcmM":
        statistics["nan"] = functions.count_nonzero(biggus.isnan(array), axis=axis)
    names = _names(arguments.statistics)
    for name in names or _DEFAULT:
        try:
            statistics[name] = _statistic(name, array, axis)
        except (TypeError, ValueError) as error:
            # Dates have no mean, and strings only a count.
            if names:
                raise MisfitError(f"cannot compute {name} of {array.dtype}: {error}") from error
    return statistics


def axes_of(arguments: argparse.Namespace, opened: Opened) -> tuple[int, ...] | None:
    """Return the axes to reduce; None for all."""
    if arguments.axis is None:
        return None
    node = opened.array.node
    words = [axis_of(word.strip()) for word in arguments.axis.split(",")]
    try:
        return tuple(sorted(normal_axes(numbered(node, words), len(node.shape))))
    except (TypeError, ValueError) as error:
        raise MisfitError(f"--axis {arguments.axis}: {error}") from None


def _names(text: str | None) -> list[str]:
    names = [] if text is None else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in _FUNCTIONS:
            hint = did_you_mean(name, _FUNCTIONS)
            raise UsageError(
                f"there is no statistic {name!r}{hint}; there are {', '.join(_FUNCTIONS)}"
            )
    return names


def _statistic(name: str, array: biggus.Array, axis: tuple[int, ...] | None) -> biggus.Array:
    if array.dtype.kind == "O":
        raise TypeError("statistics of Python objects do not exist")
    narrow = array.dtype.kind == "f" and array.dtype.itemsize < 8
    more: dict[str, Any] = {"dtype": np.float64} if narrow and name in _OF_FLOATS else {}
    return _FUNCTIONS[name](array, axis=axis, **more)

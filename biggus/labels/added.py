"""Labels of the axes that statistics add: those of several quantiles, and of groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.adapt import node_of
from biggus.graph import Reduce
from biggus.labels.coordinate import Coordinate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.graph import AlongAxes
    from biggus.sources.base import Values

_QUANTILE = "quantile"
_GROUP = "group"

_KINDS = "biufSU"
"""The kinds of values that a coordinate can be saved with."""


def labels_of_added(
    node: Reduce | AlongAxes, dims: Sequence[str | None]
) -> tuple[tuple[str | None, ...], list[Coordinate]]:
    """Return the names and the coordinates of the axes that a statistic adds at the end.

    The axis of several quantiles is called ``quantile``, as in xarray.  The axis of groups has
    the name of their labels, or is called ``group``.

    Parameters
    ----------
    node : Reduce or AlongAxes
        The statistic.
    dims : sequence of str or None
        The names of its other axes.
    """
    count = len(node.shape) - len(dims)
    name, values = _named_values(node) if count == 1 else ("", None)
    if values is None or name in dims:
        return (None,) * count, []
    if values.dtype.kind not in _KINDS:
        return (name,), []
    return (name,), [Coordinate(name, {}, node_of(values), (len(dims),))]


def _named_values(node: Reduce | AlongAxes) -> tuple[str, Values | None]:
    """Return the name and the values of a coordinate; the values are None if there is none."""
    of: Any = node if isinstance(node, Reduce) else node.function
    function, parameters = getattr(of, "name", ""), getattr(of, "parameters", {})
    if function == "grouped":
        groups = parameters["groups"]
        return groups.name or _GROUP, groups.labels
    if function.endswith(("quantile", "percentile")):
        q = np.atleast_1d(parameters["q"]).astype(np.float64)
        return _QUANTILE, q / 100 if function.endswith("percentile") else q
    return "", None

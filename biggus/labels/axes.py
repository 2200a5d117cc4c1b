"""Named axes: replacing the names of axes by their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.exceptions import AxisError

from biggus.labels.following import labels_of
from biggus.sources.normal import normal_axis
from biggus.support.similar import did_you_mean

if TYPE_CHECKING:
    from biggus.graph import Node


def numbered(node: Node, axis: Any) -> Any:
    """Return an axis, or a tuple of axes, with names replaced by numbers.

    Anything else than a name is returned unchanged, and so is a name if no axis has one.

    Raises
    ------
    numpy.exceptions.AxisError
        If no axis or several axes have the name.
    """
    if isinstance(axis, str):
        labels = labels_of(node)
        dims = labels.named
        if not any(labels.dims) and axis not in dims:
            return axis  # the caller refuses it
        if dims.count(axis) != 1:
            problem = "no axis" if axis not in dims else "more than one axis"
            hint = "" if axis in dims else did_you_mean(axis, dims)
            raise AxisError(f"there is {problem} named {axis!r}{hint}; there are {', '.join(dims)}")
        return dims.index(axis)
    if isinstance(axis, (tuple, list)) and any(isinstance(one, str) for one in axis):
        return tuple([numbered(node, one) for one in axis])
    return axis


def numbered_one(node: Node, axis: Any) -> int:
    """Return the number of one axis, from 0, which is given by its number or its name.

    Raises
    ------
    TypeError
        If it is neither an integer nor the name of an axis.
    numpy.exceptions.AxisError
        If there is no such axis.
    """
    number = numbered(node, axis)
    if isinstance(number, bool) or not (isinstance(number, str) or hasattr(number, "__index__")):
        raise TypeError(f"an axis is an integer, the number of an axis, not {axis!r}")
    return normal_axis(number, len(node.shape))


def numbered_call(
    node: Node, place: int | None, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call, with named axes replaced by numbers.

    Parameters
    ----------
    node : Node
        The node that the function is called with.
    place : int or None
        The position of the argument `axis`, not counting the node.
    arguments : tuple
        The positional arguments after the node.
    keywords : dict
        The keyword arguments.

    Raises
    ------
    TypeError
        If an axis is named by `dim`, as in xarray.
    """
    if "dim" in keywords:
        raise TypeError("there is no argument `dim`: `axis` takes the names of axes")
    if "axis" in keywords:
        keywords = {**keywords, "axis": numbered(node, keywords["axis"])}
    if place is not None and len(arguments) > place:
        axis = numbered(node, arguments[place])
        arguments = (*arguments[:place], axis, *arguments[place + 1 :])
    return arguments, keywords

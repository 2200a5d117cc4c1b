"""Axes by their names: found among those of an array, and put as numbers to what takes numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.exceptions import AxisError

from biggus.labels.following import labels_of

if TYPE_CHECKING:
    from biggus.graph import Node


def numbered(node: Node, axis: Any) -> Any:
    """Return axes that may be named as their numbers; what names nothing, as it is.

    Raises
    ------
    numpy.exceptions.AxisError
        If others have names, and none or several have this one.
    """
    if isinstance(axis, str):
        labels = labels_of(node)
        dims = labels.named
        if not any(labels.dims) and axis not in dims:
            return axis  # to be refused by whoever takes numbers
        if dims.count(axis) != 1:
            problem = "no axis" if axis not in dims else "more than one axis"
            raise AxisError(f"there is {problem} named {axis!r}; there are {', '.join(dims)}")
        return dims.index(axis)
    if isinstance(axis, (tuple, list)) and any(isinstance(one, str) for one in axis):
        return tuple([numbered(node, one) for one in axis])
    return axis


def numbered_call(
    node: Node, place: int | None, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a function of a node, with the axes among them numbered.

    Parameters
    ----------
    node : Node
    place : int or None
        Where among the arguments, which come after the node, the axis is.
    arguments, keywords
        As they were given.
    """
    if "axis" in keywords:
        keywords = {**keywords, "axis": numbered(node, keywords["axis"])}
    if place is not None and len(arguments) > place:
        axis = numbered(node, arguments[place])
        arguments = (*arguments[:place], axis, *arguments[place + 1 :])
    return arguments, keywords

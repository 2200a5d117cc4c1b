"""The result of an evaluation: an array that is filled part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus.indexing.selection import Selection

if TYPE_CHECKING:
    from biggus.graph import Node
    from biggus.sources.base import Box, Values


class Result:
    """An array that the values of a node are pasted into, part by part.

    Parameters
    ----------
    node : Node
    shape : tuple of int, optional
        The shape of the array, if not that of the node.
    room : ndarray, optional
        An existing array to fill.
    """

    concurrent = True
    """Disjoint parts may be pasted from several threads at once."""

    def __init__(
        self,
        node: Node,
        shape: tuple[int, ...] | None = None,
        room: npt.NDArray[Any] | None = None,
    ) -> None:
        self.node = node
        if room is None:
            room = np.empty(node.shape if shape is None else shape, node.dtype)
        self.data: npt.NDArray[Any] = room
        self.mask = np.zeros(self.data.shape, bool) if node.masked else None

    def paste(self, out_selection: Selection, values: Values) -> None:
        """Write values, of the shape of `out_selection`, to the elements that it selects."""
        if isinstance(values, np.ma.MaskedArray):
            out_selection.put_into(self.data, values.data)
            if self.mask is not None:
                out_selection.put_into(self.mask, np.ma.getmaskarray(values))
        else:
            out_selection.put_into(self.data, values)

    def write(self, box: Box, values: Values) -> None:
        """Write the values of a box."""
        self.paste(Selection.of_box(box), values)

    def values(self) -> Values:
        """Return the array; a MaskedArray if values can be missing."""
        if self.mask is None:
            return self.data
        return masked(self.node, self.data, self.mask)


def masked(node: Node, data: npt.NDArray[Any], mask: npt.NDArray[Any]) -> Values:
    """Return values with their mask, and the fill value of their node."""
    array: np.ma.MaskedArray[Any, Any] = np.ma.MaskedArray(data, mask=mask)
    if node.fill_value is not None:
        array.fill_value = node.fill_value
    return array


def own(node: Node, values: Values, owns_data: bool) -> Values:
    """Return the values of a whole node as a fresh, writable array in C order.

    Parameters
    ----------
    node : Node
    values : ndarray or MaskedArray
    owns_data : bool
        Whether nothing else refers to the values, so that they need not be copied.
    """
    mask = None
    data = values
    if isinstance(values, np.ma.MaskedArray):
        data, mask = values.data, np.ma.getmaskarray(values)
    if not (owns_data and _owned(data) and data.dtype == node.dtype):
        data = np.array(data, node.dtype, order="C", copy=True, subok=False)
    if not node.masked:
        return data
    mask = np.zeros(node.shape, bool) if mask is None else np.array(mask, order="C")
    return masked(node, data, mask)


def _owned(data: npt.NDArray[Any]) -> bool:
    """Return whether an array is writable, in C order, and all of its memory."""
    base = data.base
    return (
        data.flags.c_contiguous
        and data.flags.writeable
        and (base is None or (isinstance(base, np.ndarray) and base.nbytes == data.nbytes))
    )

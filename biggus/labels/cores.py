"""Labels of functions of whole lines, such as sorting, and of products with matrices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from biggus.labels.attributes import of_others
from biggus.labels.labels import Labels, first_known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.graph import Gufunc

_ORDERING = frozenset(["sort", "partition", "_topk", "_topk_of_masked", "_take_along_lines"])
"""Names of functions that select values of a line, in another order."""

_RANKING = frozenset(["argsort", "argpartition", "_lexsort_lines"])
"""Names of functions whose results are places in a line."""

_MULTIPLYING = "_multiply_blocks"


def labels_of_cores(node: Gufunc, several: Sequence[Labels]) -> Labels:
    """Return the labels of a generalised ufunc.

    Core axes that keep their length keep names and coordinates.  Sorted lines and spectra lose
    their coordinates, and sorted lines keep the name and the attributes of the variable.
    The columns of a product are those of the matrix.

    Parameters
    ----------
    node : Gufunc
    several : sequence of Labels
        The labels of the operands.
    """
    count = len(node.loop)
    first = several[0]
    function = getattr(node.function, "function", None)
    name = getattr(function, "__name__", "")
    loop = first_known([each.dims[:count] for each in several])
    kept = tuple([each for each in first.coordinates if all(axis < count for axis in each.axes)])
    if name == _MULTIPLYING:
        matrix = several[1]
        column = matrix.dims[-1]
        if column in loop:  # the product with its own transpose
            return Labels((*loop, None), coordinates=kept, decoded=True)
        last = (len(matrix.dims) - 1,)
        columns = [replace(each, axes=(count,)) for each in matrix.coordinates if each.axes == last]
        return Labels((*loop, column), coordinates=(*kept, *columns), decoded=True)
    if name in _ORDERING:
        return replace(
            first,
            dims=(*loop, *first.dims[count:]),
            attributes=of_others(first.attributes),
            coordinates=kept,
            decoded=True,
            default_fills=False,
        )
    same_core = node.children[0].shape[count:] == node.core
    core = first.dims[count:] if same_core else (None,) * len(node.core)
    spectrum = getattr(function, "__module__", "") == "numpy.fft"
    if same_core and not spectrum and name not in _RANKING:
        kept = first.coordinates
    return Labels((*loop, *core), coordinates=kept, decoded=True)

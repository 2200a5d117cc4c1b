"""Labels of functions of whole lines, such as sorting, and of products with matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, TypeVar

from biggus.labels.attributes import of_others
from biggus.labels.labels import Labels, first_known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.graph import Gufunc

Function = TypeVar("Function", bound=Callable[..., Any])


class CoreEffect(Enum):
    """What a function of cores does with the core axes of its first operand."""

    ORDERS = auto()
    """It selects values of a line, in another order."""

    RANKS = auto()
    """It returns places in a line."""

    MULTIPLIES = auto()
    """It multiplies lines by a matrix."""


_OF_NUMPY = {
    "sort": CoreEffect.ORDERS,
    "partition": CoreEffect.ORDERS,
    "argsort": CoreEffect.RANKS,
    "argpartition": CoreEffect.RANKS,
}
"""The effects of functions of NumPy and numpy.ma, by name."""


def with_effect(effect: CoreEffect) -> Callable[[Function], Function]:
    """Declare the effect of a function of biggus; for use as a decorator."""

    def declared(function: Function) -> Function:
        function.core_effect = effect  # type: ignore[attr-defined]
        return function

    return declared


def _effect_of(function: object) -> CoreEffect | None:
    """Return what a function of cores does; None for any other function."""
    module = getattr(function, "__module__", None) or ""
    if module.partition(".")[0] == "numpy":
        return _OF_NUMPY.get(getattr(function, "__name__", ""))
    effect: CoreEffect | None = getattr(function, "core_effect", None)
    return effect


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
    effect = _effect_of(function)
    loop = first_known([each.dims[:count] for each in several])
    kept = tuple([each for each in first.coordinates if all(axis < count for axis in each.axes)])
    if effect is CoreEffect.MULTIPLIES:
        matrix = several[1]
        column = matrix.dims[-1]
        if column in loop:  # the product with its own transpose
            return Labels((*loop, None), coordinates=kept, decoded=True)
        last = (len(matrix.dims) - 1,)
        columns = [replace(each, axes=(count,)) for each in matrix.coordinates if each.axes == last]
        return Labels((*loop, column), coordinates=(*kept, *columns), decoded=True)
    if effect is CoreEffect.ORDERS:
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
    if same_core and not spectrum and effect is not CoreEffect.RANKS:
        kept = first.coordinates
    return Labels((*loop, *core), coordinates=kept, decoded=True)

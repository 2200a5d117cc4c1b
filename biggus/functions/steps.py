"""Functions of whole blocks, as the steps of nodes; generalised ufuncs made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from biggus.array import Array
from biggus.expressions.apply import NO_KEYWORDS
from biggus.expressions.names import call_of
from biggus.functions.elementwise import refuse_missing
from biggus.graph import BaseStep, Gufunc
from biggus.sources.base import Values


@dataclass(eq=False)
class FunctionStep(BaseStep):
    """A function of whole blocks as the step of a `Gufunc` or a `Blockwise` node."""

    function: Callable[..., Any]
    """A function at the top level of a module of NumPy or biggus; its name identifies it."""

    dtype: np.dtype[Any]
    """The dtype of the result."""

    keywords: Mapping[str, Any] = field(default_factory=dict)
    """The keyword arguments."""

    which: int | None = None
    """The number of the result, if the function returns several."""

    masked: bool = False
    """Whether the function takes and returns MaskedArrays."""

    @property
    def key(self) -> str | None:
        """The identity of the step, equal for equal functions; None if it is unknown."""
        call = call_of(self.function, (), self.keywords)
        return None if call is None else f"{call} {self.which} {self.dtype!r}"

    def __call__(self, *blocks: Any) -> Values:
        """Return the result of the function for some blocks."""
        results = self.function(*blocks, **self.keywords)
        result = results if self.which is None else results[self.which]
        return (np.asanyarray if self.masked else np.asarray)(result, self.dtype)


def of_cores(
    name: str,
    function: Callable[..., Any],
    arrays: Sequence[Array],
    ndims: Sequence[int],
    core: tuple[int, ...],
    dtype: np.dtype[Any],
    keywords: Mapping[str, Any] = NO_KEYWORDS,
    which: int | None = None,
) -> Array:
    """Apply a function of the last axes of arrays lazily, looped over the other axes.

    Parameters
    ----------
    name : str
        The name of NumPy's function, for errors.
    function, dtype, keywords, which
        As for `FunctionStep`.
    arrays : sequence of Array
        The operands.
    ndims : sequence of int
        The number of core axes, the last ones, of each operand.
    core : tuple of int
        The lengths of the core axes of the result.

    Raises
    ------
    TypeError
        If values of an operand can be missing.
    """
    refuse_missing(name, *arrays)
    step = FunctionStep(function, dtype, keywords, which)
    return Array.from_node(Gufunc(step, [one.node for one in arrays], ndims, core))

"""The step of functions that xarray applies to blocks."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray

from biggus.expressions import text_of
from biggus.graph import BaseStep
from biggus.graph.pieces import spread


@dataclass(eq=False)
class Mapped(BaseStep):
    """A function of blocks."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    """The arguments; None stands for a block."""

    keywords: Mapping[str, Any]
    dtype: np.dtype[Any]
    """The dtype of the result."""

    output: int | None = None
    """The number of the result, if the function returns several."""

    shapes: Sequence[tuple[int, ...]] = ()
    """The shapes of the arrays that the blocks are of; empty if blocks are passed unchanged."""

    cores: Sequence[int] = ()
    """The number of core axes of each array, the last ones; the others are loop axes."""

    @property
    def key(self) -> str | None:
        """The function and its arguments, if xarray decodes with it; others have no name."""
        function, values, keywords = self.function, list(self.arguments), dict(self.keywords)
        if isinstance(function, functools.partial):
            values = [*function.args, *values]
            keywords = {**function.keywords, **keywords}
            function = function.func
        if not _decodes(function):
            return None
        texts = [text_of(value) for value in (*values, *keywords.values())]
        if None in texts:
            return None
        named = f"{function.__module__}.{function.__name__} of xarray {xarray.__version__}"
        description = (texts, list(keywords), self.dtype, self.output, list(self.shapes))
        return f"mapped({named} {description!r})"

    def __call__(self, *blocks: Any) -> Any:
        """Return the result of the function for some blocks."""
        if self.shapes:
            counts = [block.ndim - core for block, core in zip(blocks, self.cores, strict=True)]
            loops = [block.shape[:n] for block, n in zip(blocks, counts, strict=True)]
            loop = np.broadcast_shapes(*loops)
            blocks = tuple(
                [_own_axes(*each, loop) for each in zip(blocks, self.shapes, strict=True)]
            )
        remaining = iter(blocks)
        arguments = [next(remaining) if one is None else one for one in self.arguments]
        results = self.function(*arguments, **self.keywords)
        return np.asarray(results if self.output is None else results[self.output], self.dtype)


def _own_axes(block: Any, shape: tuple[int, ...], loop: tuple[int, ...]) -> Any:
    """Return a block with the axes that its array has, as dask passes it to a function.

    Leading axes along which the array is broadcast are dropped.  Values that are repeated along
    an axis of the array come once, and are repeated here.
    """
    first = block.ndim - len(shape)
    block = np.reshape(block, block.shape[first:])
    own = loop[first:]
    repeated = [n if length > 1 else 1 for n, length in zip(own, shape, strict=False)]
    return spread(block, (*repeated, *block.shape[len(own) :]))


def _decodes(function: Callable[..., Any]) -> bool:
    """Tell whether a function decodes values for xarray, or is NumPy's cast."""
    module = getattr(function, "__module__", None) or ""
    if module.startswith("xarray.coding."):
        return getattr(sys.modules.get(module), function.__name__, None) is function
    return function is np.asarray

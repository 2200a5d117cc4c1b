"""Functions that xarray has applied to blocks, as steps of an expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.graph import BaseStep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(eq=False)
class Mapped(BaseStep):
    """A function of blocks, value by value."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    """Its arguments; None for each block."""

    keywords: Mapping[str, Any]
    dtype: np.dtype[Any]
    """What it gives."""

    output: int | None = None
    """Which result is taken of a function that has several."""

    ranks: Sequence[int] = ()
    """How many axes each block has for the function."""

    key = None

    def __call__(self, *blocks: Any) -> Any:
        """Return what the function gives of blocks."""
        if self.ranks:
            # An array that is broadcast along leading axes is given without them, as by dask.
            shapes = [
                block.shape[block.ndim - rank :]
                for block, rank in zip(blocks, self.ranks, strict=True)
            ]
            blocks = tuple(map(np.reshape, blocks, shapes))
        given = iter(blocks)
        arguments = [next(given) if one is None else one for one in self.arguments]
        found = self.function(*arguments, **self.keywords)
        return np.asarray(found if self.output is None else found[self.output], self.dtype)

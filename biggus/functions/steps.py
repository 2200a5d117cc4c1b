"""A step that applies a function to whole blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from biggus.expressions.names import call_of
from biggus.graph import BaseStep
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

    @property
    def key(self) -> str | None:
        """The identity of the step, equal for equal functions; None if it is unknown."""
        call = call_of(self.function, (), self.keywords)
        return None if call is None else f"{call} {self.which} {self.dtype!r}"

    def __call__(self, *blocks: Any) -> Values:
        """Return the result of the function for some blocks."""
        results = self.function(*blocks, **self.keywords)
        return np.asarray(results if self.which is None else results[self.which], self.dtype)

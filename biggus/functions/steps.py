"""A step that applies a function of NumPy's to whole blocks."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.expressions import text_of
from biggus.graph import BaseStep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biggus.sources.base import Values


@dataclass(eq=False)
class NumPyStep(BaseStep):
    """A function of NumPy's as the step of a `Gufunc`; it is stored by name, to be picklable."""

    name: str
    """The name of the function in `numpy`, such as ``linalg.svd``."""

    keywords: Mapping[str, Any]
    """The keyword arguments."""

    dtype: np.dtype[Any]
    """The dtype of the result."""

    which: int | None = None
    """The number of the result, if the function returns several."""

    @property
    def key(self) -> str | None:
        """The identity of the step, equal for equal functions; None if it is unknown."""
        given = text_of(tuple(sorted(self.keywords.items())))
        return None if given is None else f"{self.name} {given} {self.which} {self.dtype!r}"

    def __call__(self, *blocks: Values) -> Values:
        """Return the result of the function for some blocks."""
        found: Any = operator.attrgetter(self.name)(np)(*blocks, **self.keywords)
        return np.asarray(found if self.which is None else found[self.which], self.dtype)

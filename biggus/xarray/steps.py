"""The step of functions that xarray applies to blocks."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray

from biggus.graph import BaseStep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


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

    ranks: Sequence[int] = ()
    """The number of axes of each block that is passed to the function."""

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
        texts = [_text_of(value) for value in (*values, *keywords.values())]
        if None in texts:
            return None
        named = f"{function.__module__}.{function.__name__} of xarray {xarray.__version__}"
        told = (texts, list(keywords), self.dtype, self.output, list(self.ranks))
        return f"mapped({named} {told!r})"

    def __call__(self, *blocks: Any) -> Any:
        """Return the result of the function for some blocks."""
        if self.ranks:
            # Leading axes along which an array is broadcast are dropped, as in dask.
            shapes = [
                block.shape[block.ndim - rank :]
                for block, rank in zip(blocks, self.ranks, strict=True)
            ]
            blocks = tuple(map(np.reshape, blocks, shapes))
        given = iter(blocks)
        arguments = [next(given) if one is None else one for one in self.arguments]
        found = self.function(*arguments, **self.keywords)
        return np.asarray(found if self.output is None else found[self.output], self.dtype)


def _decodes(function: Callable[..., Any]) -> bool:
    """Tell whether a function is one of those of xarray's that decode values, or NumPy's cast."""
    module = getattr(function, "__module__", None) or ""
    if module.startswith("xarray.coding."):
        return getattr(sys.modules.get(module), function.__name__, None) is function
    return function is np.asarray


def _text_of(value: Any) -> str | None:
    """Return a text that only equal arguments have; None for arguments of unknown types."""
    if isinstance(value, (set, frozenset)):
        texts = [text for text in map(_text_of, value) if text is not None]
        return f"set {sorted(texts)}" if len(texts) == len(value) else None
    plain = value is None or isinstance(value, (bool, int, float, str, np.generic, np.dtype, type))
    return f"{type(value).__name__} {value!r}" if plain else None

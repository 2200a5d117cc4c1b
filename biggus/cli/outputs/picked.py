"""The selection that `biggus get` writes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biggus import engine, options
from biggus.errors import OutputError

if TYPE_CHECKING:
    import contextlib

    from biggus.sources.base import Values


@dataclasses.dataclass
class Picked:
    """A selection of a variable, and how to write it.

    Attributes
    ----------
    array : Array
        The lazy array.
    name : str
        The name of the variable.
    label : str
        The name of the output for error messages.
    fill : str or None
        The value to replace missing ones with, as given by the user.
    pixels : bool
        Whether a picture has one pixel for each value, and no axes.
    progress : callable
        Called with the bytes read so far and the total number of bytes.
    """

    array: Any
    name: str
    label: str
    fill: str | None = None
    pixels: bool = False
    progress: Callable[[int, int], object] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values."""
        dtype: np.dtype[Any] = self.array.dtype
        return dtype

    @property
    def nbytes(self) -> int:
        """The size of the values in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def all(self) -> Values:
        """Read all values at once.

        Raises
        ------
        OutputError
            If they are more than the ``memory`` option allows.
        """
        limit = options.current().memory
        if self.nbytes > limit:
            raise OutputError(
                f"{self.nbytes:,} bytes at once are more than the {limit:,} that are allowed; "
                "select fewer, or write .npy, .nc or .zarr"
            )
        with self.reporting():
            return engine.evaluate(self.array.node)

    def reporting(self) -> contextlib.AbstractContextManager[object]:
        """Return a context in which reading and writing report progress."""
        return options.set_options(progress=self.progress or False)

    def fill_scalar(self) -> Any:
        """Return `fill` as a scalar of the values' dtype.

        Raises
        ------
        OutputError
            If the dtype cannot hold it.
        """
        assert self.fill is not None
        problem = f"--fill {self.fill} is not a value of dtype {self.dtype}"
        try:
            if self.dtype.kind in "iu":
                return np.array(int(self.fill), self.dtype)[()]
            if self.dtype.kind in "fcMm":
                return np.array(self.fill).astype(self.dtype)[()]
            if self.dtype.kind == "b" and self.fill.lower() in ("true", "false"):
                return np.bool_(self.fill.lower() == "true")
        except (ValueError, OverflowError):
            raise OutputError(problem) from None
        raise OutputError(problem)


Writer: TypeAlias = Callable[[Path, Picked], str | None]
"""Writes a selection to a path that does not exist yet; returns what to tell the user."""

"""What is to be written, and what is known of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biggus import options
from biggus.errors import OutputError

if TYPE_CHECKING:
    import contextlib

    from biggus.sources.base import Values


@dataclasses.dataclass
class Picked:
    """A selection of a variable, with what is known of it.

    Attributes
    ----------
    array : Array
        The values, not read yet.
    name : str
        What to call it.
    label : str
        What errors call the place that it goes to.
    fill : str or None
        What the user wants to stand where values are missing.
    pixels : bool
        Whether a picture has a pixel a value, and nothing else.
    progress : callable
        Called with the bytes read so far and the bytes in all.
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
            read = self.array.masked_array if self.array.masked else self.array.ndarray
            values: Values = read()
        return values

    def reporting(self) -> contextlib.AbstractContextManager[object]:
        """Return what makes reading and writing report, while it is entered."""
        return options.set_options(progress=self.progress or False)

    def fill_scalar(self) -> Any:
        """Return `fill` as a scalar of the values' dtype.

        Raises
        ------
        OutputError
            If the dtype cannot hold it.
        """
        assert self.fill is not None
        problem = f"--fill {self.fill} is no value of dtype {self.dtype}"
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

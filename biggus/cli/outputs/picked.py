"""What is to be written, and how it is read block by block."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from biggus import options
from biggus.cli.atomic import OutputError
from biggus.grid import Grid, default_chunks
from biggus.source import Box, Values, whole

BLOCK_BYTES = 128 * 2**20
"""About how much is held in memory at once."""


@dataclasses.dataclass
class Picked:
    """A selection of a variable, with what is known of it.

    Attributes
    ----------
    array : Array
        The values, not read yet.
    name : str
        What to call it.
    dims : tuple of str
        The names of its axes.
    attributes : mapping
        What the store says of the variable.
    decoded : bool
        Whether the values were unpacked as those attributes say.
    default_fills : bool
        Whether the netCDF library's default fill values mean missing ones.
    fill : str or None
        What the user wants to stand where values are missing.
    progress : callable
        Called with the bytes read so far and the bytes in all.
    """

    array: Any
    name: str
    dims: tuple[str, ...]
    attributes: Mapping[str, Any]
    decoded: bool = False
    default_fills: bool = False
    fill: str | None = None
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

    def blocks(self, chunks: tuple[int, ...] | None = None) -> Iterator[tuple[Box, Values]]:
        """Read the values in blocks of about `BLOCK_BYTES`: runs of a C-ordered array.

        Parameters
        ----------
        chunks : tuple of int, optional
            No block, but the last along an axis, is cut inside of one of these.
        """
        done = 0
        if 0 in self.shape:
            return
        lengths = default_chunks(self.shape, self.dtype.itemsize, BLOCK_BYTES)
        if chunks is not None:
            lengths = tuple(max(n - n % m, m) for n, m in zip(lengths, chunks, strict=True))
        for part in Grid(self.shape, lengths).parts(whole(self.shape)):
            yield part.chunk, self._read(self.array[part.chunk], done)
            done += math.prod(s.stop - s.start for s in part.chunk) * self.dtype.itemsize
            if self.progress is not None:
                self.progress(done, self.nbytes)

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
        return self._read(self.array, 0)

    def _read(self, array: Any, before: int) -> Values:
        report: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
        if self.progress is not None:
            show, total = self.progress, self.nbytes
            report = options.set_options(progress=lambda done, _: show(before + done, total))
        with report:
            values: Values = array.masked_array() if array.masked else array.ndarray()
        return values

    def filled(self, values: Values, fill: Any) -> npt.NDArray[Any]:
        """Return `values` with `fill` where one is missing.

        Raises
        ------
        OutputError
            If a value that is not missing is equal to `fill`: it would be lost.
        """
        if not isinstance(values, np.ma.MaskedArray):
            return values
        mask = np.ma.getmaskarray(values)
        same = np.isnan(values.data) if fill != fill else values.data == fill  # noqa: PLR0124
        if (same & ~mask).any():
            raise OutputError(
                f"the value {fill} is to mean a missing one, but is there as a value; "
                "say what else stands for missing values with --fill"
            )
        return np.asarray(values.filled(fill))

    def marker(self) -> Any:
        """Return what stands for missing values in a file that can say so: of the dtype."""
        if self.fill is not None:
            return self.fill_scalar()
        return np.array(self.array.fill_value).astype(self.dtype)[()]

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

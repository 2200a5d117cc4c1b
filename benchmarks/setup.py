"""The setup of a run: the size of its data, their folder, and the stores to measure."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Size(NamedTuple):
    """The sizes of the data."""

    shape: tuple[int, int, int]
    """Times, latitudes and longitudes of the dataset."""

    chunks: tuple[int, int, int]
    rounds: int
    """The number of timed rounds of each piece of work."""

    tiny_chunks: int
    """The number of chunks of an array of tiny chunks; a multiple of 100."""

    file_shape: tuple[int, int, int]
    """Times, latitudes and longitudes of each of a hundred files."""

    @property
    def nbytes(self) -> int:
        """The size of the dataset in bytes, four per value."""
        times, rows, columns = self.shape
        return 4 * times * rows * columns

    def longer(self, factor: int) -> Size:
        """Return a size with `factor` times as many times."""
        return self._replace(shape=(factor * self.shape[0], *self.shape[1:]))


SIZES = {
    "tiny": Size((9, 20, 30), (4, 8, 12), 1, 100, (2, 10, 20)),
    "small": Size((48, 361, 720), (24, 181, 360), 5, 10_000, (5, 90, 180)),
    "medium": Size((480, 361, 720), (24, 181, 360), 5, 100_000, (5, 361, 720)),
    "full": Size((480, 721, 1440), (24, 181, 360), 7, 100_000, (5, 721, 1440)),
}


class Setup(NamedTuple):
    """The setup of a run."""

    size: Size = SIZES["small"]
    data: Path | None = None
    """The folder that keeps the data; None: a temporary folder."""

    stores: tuple[str, ...] = ()
    """The stores to measure; empty: all."""

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """Yield the folder of the data."""
        if self.data is not None:
            self.data.mkdir(parents=True, exist_ok=True)
            yield self.data
            return
        with tempfile.TemporaryDirectory(prefix="biggus-benchmarks-") as name:
            yield Path(name)

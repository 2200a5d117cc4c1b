"""What a run is asked for: how large its data are, where they lie, and which stores it is about."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Size(NamedTuple):
    """How large the data are."""

    shape: tuple[int, int, int]
    """Of the dataset: times, latitudes, longitudes."""

    chunks: tuple[int, int, int]
    rounds: int
    """How often each piece of work is timed."""

    tiny_chunks: int
    """How many chunks an array of tiny ones has; a multiple of 100."""

    file_shape: tuple[int, int, int]
    """Of each of a hundred files."""

    @property
    def nbytes(self) -> int:
        """How large the dataset is, of four bytes a value."""
        times, rows, columns = self.shape
        return 4 * times * rows * columns

    def longer(self, factor: int) -> Size:
        """Return the same over a longer time."""
        return self._replace(shape=(factor * self.shape[0], *self.shape[1:]))


SIZES = {
    "tiny": Size((9, 20, 30), (4, 8, 12), 1, 100, (2, 10, 20)),
    "small": Size((48, 361, 720), (24, 181, 360), 5, 10_000, (5, 90, 180)),
    "medium": Size((480, 361, 720), (24, 181, 360), 5, 100_000, (5, 361, 720)),
    "full": Size((480, 721, 1440), (24, 181, 360), 7, 100_000, (5, 721, 1440)),
}


class Setup(NamedTuple):
    """What a run is asked for."""

    size: Size = SIZES["small"]
    data: Path | None = None
    """Where the data are kept; None: in a temporary folder, for as long as they are needed."""

    stores: tuple[str, ...] = ()
    """The stores that are measured; empty: all."""

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """Give the folder of the data."""
        if self.data is not None:
            self.data.mkdir(parents=True, exist_ok=True)
            yield self.data
            return
        with tempfile.TemporaryDirectory(prefix="biggus-benchmarks-") as name:
            yield Path(name)

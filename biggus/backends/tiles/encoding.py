"""The encoding of tiles, each of which is an image file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.backends.tiles.image import decode_image
from biggus.sources.base import Box
from biggus.sources.encoding import Encoding


@dataclass(frozen=True)
class TileEncoding(Encoding):
    """Decodes tiles of one size, number of bands and dtype."""

    size: int
    bands: int
    dtype: str

    def decode(self, box: Box, data: memoryview) -> npt.NDArray[Any]:
        """Return the values of a tile from its file, which was checked when it was fetched."""
        return decode_image(
            bytes(data), self.size, self.bands, np.dtype(self.dtype), whole=True
        ).copy()

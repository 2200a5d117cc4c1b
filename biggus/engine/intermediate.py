"""Intermediate results: values that come of one pass, and that the next computes with."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus.sources.memory import MemorySource
from biggus.support.once import once

if TYPE_CHECKING:
    from biggus.sources.base import Chunks


class IntermediateSource(MemorySource):
    """Values that were computed, and do not change any more.

    What is computed of them may be kept, for they are named by what they are: the
    next time that they are computed, they are the same to the bit.
    """

    name = "an intermediate result"

    def __init__(self, array: npt.NDArray[Any], chunks: Chunks | None = None) -> None:
        super().__init__(array)
        self.chunks = chunks

    @once
    def token(self) -> str | None:
        """A digest of the values: computed when it is asked for."""
        if self.dtype.hasobject:
            return None
        content = hashlib.blake2b(digest_size=20)
        for part in (np.ma.getdata(self.array), np.ma.getmask(self.array)):
            content.update(np.ascontiguousarray(part).view(np.uint8).data)
        return f"values:{content.hexdigest()}"

    def state(self) -> bytes | None:
        """Return the one validator that there is."""
        return b"final"

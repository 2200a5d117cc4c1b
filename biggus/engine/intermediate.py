"""Intermediate results: values that one pass computes and later passes use."""

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
    """A source of computed values.

    Its token is a digest of the values.  They are the same to the bit whenever they are computed
    again, so results that are computed from them can be cached.
    """

    name = "an intermediate result"

    def __init__(self, array: npt.NDArray[Any], chunks: Chunks | None = None) -> None:
        super().__init__(array)
        self.chunks = chunks

    @once
    def token(self) -> str | None:
        """A digest of the values, computed on first use; None for objects."""
        if self.dtype.hasobject:
            return None
        content = hashlib.blake2b(digest_size=20)
        for part in (np.ma.getdata(self.array), np.ma.getmask(self.array)):
            content.update(np.ascontiguousarray(part).view(np.uint8).data)
        return f"values:{content.hexdigest()}"

    def state(self) -> bytes | None:
        """Return the validator, which never changes."""
        return b"final"

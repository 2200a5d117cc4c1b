"""Encodings: how the chunks of a source are stored, and so how bytes of them become values."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from biggus.support.once import once

if TYPE_CHECKING:
    import numpy.typing as npt

    from biggus.indexing.grid import Box


class Encoding(ABC):
    """How stored bytes of chunks become values, wherever they are kept.

    Subclasses are frozen dataclasses, whose fields JSON can say: of those it is made again, by
    the backend's `encoding`, where the source is gone.
    """

    @property
    def told(self) -> dict[str, Any]:
        """What it is made of again."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]

    @once
    def name(self) -> bytes:
        """What no two have that may decode the same bytes to different values."""
        told = json.dumps(self.told, sort_keys=True).encode()
        return hashlib.blake2b(told, digest_size=8).hexdigest().encode()

    @abstractmethod
    def decode(self, box: Box, data: memoryview) -> npt.NDArray[Any]:
        """Return the values of a chunk, an array that nobody else holds.

        Parameters
        ----------
        box : tuple of slice
            Where the chunk lies in the source.
        data : memoryview
            Its stored bytes, which the source has decoded when they were fetched.

        Raises
        ------
        Exception
            Of any kind, if they cannot be decoded.
        """

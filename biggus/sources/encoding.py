"""Encodings: decoding the stored bytes of chunks apart from their source."""

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
    """Decodes the stored bytes of chunks, wherever they are kept.

    Subclasses are frozen dataclasses with fields that JSON can hold.  A backend's `encoding`
    makes one again from these fields when the source is gone.
    """

    @property
    def fields(self) -> dict[str, Any]:
        """The fields by name, from which the backend's `encoding` makes it again."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]

    @once
    def name(self) -> bytes:
        """A digest of the fields: two encodings of one name decode bytes to the same values."""
        fields = json.dumps(self.fields, sort_keys=True).encode()
        return hashlib.blake2b(fields, digest_size=8).hexdigest().encode()

    @abstractmethod
    def decode(self, box: Box, data: memoryview) -> npt.NDArray[Any]:
        """Return the values of a chunk, a new array.

        Parameters
        ----------
        box : tuple of slice
            The box of the chunk in the source.
        data : memoryview
            The stored bytes; the source decoded them once when it fetched them.

        Raises
        ------
        Exception
            Of any kind, if they cannot be decoded.
        """

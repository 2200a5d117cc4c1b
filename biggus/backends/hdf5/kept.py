"""Kept chunks: the few, in this process, of which small parts were read last.

The next read may be of their neighbours, and to decode a chunk takes a hundred times as
long as to copy a few values.  Of all datasets together there are `MOST`, so that
a series of points through thousands of files fills no memory.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from biggus.backends.files import SETTLED_SECONDS
from biggus.backends.settling import age_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from biggus.backends.signature import FileSignature
    from biggus.sources.base import Box

MOST = 8

LARGEST = 2**20
"""Bytes; a longer chunk is not kept, nor does libhdf5 keep one."""


class KeptChunks:
    """Values of chunks, the least recently used of which give way.

    Examples
    --------
    >>> from biggus.backends.signature import FileSignature
    >>> kept, signature, box = KeptChunks(), FileSignature(1, 2, 3, 4, 5), (slice(0, 9, 1),)
    >>> kept.keep(7, signature, box, "values")
    >>> kept.find(7, signature, box), kept.find(8, signature, box)
    ('values', None)
    """

    def __init__(self) -> None:
        self._chunks: OrderedDict[Any, npt.NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, dataset: int, signature: FileSignature, chunk: Box) -> npt.NDArray[Any] | None:
        """Return the values of a chunk, not to be written to; None if they are not kept.

        Parameters
        ----------
        dataset : int
            A number that no other dataset has in this process.
        signature : FileSignature
            How the file is.
        chunk : tuple of slice
        """
        key = _key(dataset, signature, chunk)
        with self._lock:
            values = self._chunks.get(key)
            if values is not None:
                self._chunks.move_to_end(key)
        return values

    def keep(
        self, dataset: int, signature: FileSignature, chunk: Box, values: npt.NDArray[Any]
    ) -> None:
        """Keep the values of a chunk, if the file's times would tell that it has changed."""
        if age_of(signature) < SETTLED_SECONDS:
            return
        with self._lock:
            self._chunks[_key(dataset, signature, chunk)] = values
            while len(self._chunks) > MOST:
                self._chunks.popitem(last=False)


def _key(dataset: int, signature: FileSignature, chunk: Box) -> Any:
    return dataset, signature, tuple([s.start for s in chunk])


kept_chunks = KeptChunks()

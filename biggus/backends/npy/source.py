"""The source of a ``.npy`` file."""

from __future__ import annotations

import logging
import os
import time
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from biggus.backends.descriptor import Descriptor
from biggus.backends.files import validator_of_file
from biggus.backends.npy.header import FileLayout, layout_of
from biggus.backends.pieces import failures_named, log_read, one_line, piece_of
from biggus.backends.reading import MOST_TOGETHER, read_plain
from biggus.backends.settling import settled
from biggus.backends.signature import FileSignature, signature_of
from biggus.errors import OpenError
from biggus.indexing.grid import default_chunks
from biggus.sources.base import Box, Source, Stream, box_shape
from biggus.support.watching import changed, see

log = logging.getLogger("biggus.backends.npy")

VARIABLE = "values"
"""The name of the only variable, as the format has no names."""


class NpySource(Source):
    """The source of a file, which is opened for each read.

    If the file is replaced by one of the same shape and dtype, the new values are read.

    Parameters
    ----------
    path : str
        The absolute path of the file.

    Raises
    ------
    GoneError
        If there is no such file.
    OpenError
        If it is not a ``.npy`` file, is damaged or cut short, or holds Python objects.
    """

    io_bound = False
    owns_data = True
    reads_into = True

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = f"{path}::{VARIABLE}"
        self.token = f"npy:{os.path.realpath(path)}::{VARIABLE}"
        self._known: tuple[FileSignature, FileLayout] | None = None
        try:
            layout = self._opened().layout
        except OpenError:
            raise
        except (OSError, ValueError) as error:
            raise OpenError(path, one_line(error)) from error
        self.shape, self.dtype = layout.shape, layout.dtype
        self.streams = not layout.fortran and self.dtype.itemsize > 0
        if layout.fortran and layout.nbytes:
            # Blocks of rows would be scattered over the whole file.
            self.chunks = default_chunks(self.shape[::-1], self.dtype.itemsize)[::-1]

    def _opened(self) -> _Opening:
        signature_of(self.path)  # raises for a pipe, whose opening would wait for ever
        descriptor = Descriptor(self.path)
        signature, known = settled(descriptor.signature, self.path), self._known
        if known is None or known[0] != signature:
            self._known = known = signature, layout_of(descriptor)
        return _Opening(self.path, descriptor, *known)

    def _same(self) -> _Opening:
        """Open the file, and check its shape and dtype."""
        opening = self._opened()
        see(self.path, opening.signature)
        now = opening.layout
        if (now.shape, now.dtype) != (self.shape, self.dtype):
            raise ValueError(
                f"it has changed: it now has dtype {now.dtype} and shape {now.shape}, and had "
                f"{self.dtype} and {self.shape} when it was opened; open it again"
            )
        return opening

    def __getitem__(self, box: Box) -> npt.NDArray[Any]:
        values = np.empty(box_shape(box), self.dtype)
        self.read_into(box, values)
        return values

    def read_into(self, box: Box, out: npt.NDArray[Any]) -> bool:
        """Read `box` into `out`."""
        start = time.perf_counter()
        with failures_named(self.name, box):
            self._same().read(box, out)
        log_read(log, self.name, box, out.nbytes, start)
        return True

    def stream(self, box: Box) -> Stream | None:
        """Return a stream of `box` if it is contiguous."""
        if not self.streams:
            return None
        with failures_named(self.name, box):
            opening = self._same()
        layout = opening.layout
        if layout.fortran:
            return None
        return piece_of(self, box, opening.descriptor, layout.offset, opening.check)

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes."""
        return super().peak_bytes(box) + MOST_TOGETHER

    def state(self) -> bytes | None:
        """Return the state of the file."""
        return validator_of_file(self.path)

    def __repr__(self) -> str:
        return f"<NpySource {self.name} {self.dtype} {self.shape}>"


class _Opening(NamedTuple):
    """A file opened for one read, with its signature and layout."""

    path: str
    descriptor: Descriptor
    signature: FileSignature
    layout: FileLayout

    def read(self, box: Box, out: npt.NDArray[Any]) -> None:
        """Read a box."""
        if out.nbytes:
            shape, offset = self.layout.shape, self.layout.offset
            if self.layout.fortran:
                read_plain(self.descriptor, offset, shape[::-1], box[::-1], out.T)
            else:
                read_plain(self.descriptor, offset, shape, box, out)
        self.check()

    def check(self) -> None:
        """Raise a SourceChangedError if the file has changed since it was opened."""
        if self.descriptor.signature() != self.signature:
            raise changed(self.path)

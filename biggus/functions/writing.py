"""`save`, `savez` and `savetxt` of NumPy: values are written block by block, in C order."""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from biggus import options
from biggus.array import Array, implements
from biggus.functions.elementwise import as_array
from biggus.indexing.grid import Grid

_PART = 8
"""A block that is written takes about this fraction, 1/8, of the memory."""


def _in_order(array: Array) -> Iterator[npt.NDArray[Any]]:
    """Yield all values in C order, in blocks that fit into memory."""
    room = options.current().memory // _PART
    if array.nbytes <= room or not array.ndim:
        yield array.ndarray()
        return
    rows = max(1, room // max(1, array.nbytes // array.shape[0]))
    if array.grid is not None:
        chunk = Grid(array.shape, array.grid).longest[0]
        rows = rows // chunk * chunk or rows
    for start in range(0, array.shape[0], rows):
        yield from _in_order(array[start] if rows == 1 else array[start : start + rows])


def _write(file: IO[bytes], array: Array) -> None:
    if array.dtype.hasobject:
        raise TypeError("objects would be pickled: call .ndarray() first, or use biggus.save")
    header = {
        "descr": np.lib.format.dtype_to_descr(array.dtype),
        "fortran_order": False,
        "shape": array.shape,
    }
    try:
        np.lib.format.write_array_header_1_0(file, header)
    except ValueError:  # many fields need a larger header
        np.lib.format.write_array_header_2_0(file, header)
    for block in _in_order(array):
        file.write(np.ascontiguousarray(block).tobytes())


@contextlib.contextmanager
def _opened(file: Any, suffix: str) -> Iterator[IO[bytes]]:
    """Open a file for writing; a new file appears when it is complete."""
    if hasattr(file, "write"):
        yield file
        return
    path = Path(os.fspath(file))
    path = path if path.name.endswith(suffix) else path.with_name(path.name + suffix)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as opened:
            yield opened
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@implements(np.save)
def _save(file: Any, arr: Any, allow_pickle: bool = True, **_: Any) -> None:  # nothing is pickled
    with _opened(file, ".npy") as opened:
        _write(opened, as_array(arr))


def _zipping(compression: int) -> Any:
    def save(file: Any, *args: Any, allow_pickle: bool = True, **kwds: Any) -> None:
        named = {f"arr_{number}": one for number, one in enumerate(args)}
        if clashing := named.keys() & kwds.keys():
            raise ValueError(f"Cannot use un-named variables and keyword {min(clashing)}")
        with (
            _opened(file, ".npz") as opened,
            zipfile.ZipFile(opened, "w", compression, allowZip64=True) as archive,
        ):
            for name, one in {**named, **kwds}.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    if isinstance(one, Array):
                        _write(member, one)
                    else:
                        values = np.asanyarray(one)
                        np.lib.format.write_array(member, values, allow_pickle=allow_pickle)

    return save


implements(np.savez)(_zipping(zipfile.ZIP_STORED))
implements(np.savez_compressed)(_zipping(zipfile.ZIP_DEFLATED))


@implements(np.savetxt)
def _savetxt(
    fname: Any,
    X: Any,  # noqa: N803 - NumPy's name
    fmt: Any = "%.18e",
    delimiter: str = " ",
    newline: str = "\n",
    header: str = "",
    footer: str = "",
    comments: str = "# ",
    encoding: Any = None,
) -> None:
    array = as_array(X)
    if array.ndim not in (1, 2):
        raise ValueError(f"Expected 1D or 2D array, got {array.ndim}D array instead")
    options = {"fmt": fmt, "delimiter": delimiter, "newline": newline, "comments": comments}
    if not hasattr(fname, "write") and str(fname).endswith((".gz", ".bz2", ".xz")):
        raise TypeError("savetxt of a lazy array writes plain text, or to an open file")
    with _opened(fname, "") as opened:
        blocks = _in_order(array) if array.shape[0] else iter([array.ndarray()])
        for number, block in enumerate(blocks):
            rows = np.atleast_2d(block) if array.ndim == 2 else block
            first_line = header if number == 0 else ""
            np.savetxt(opened, rows, header=first_line, encoding=encoding, **options)
        if footer:
            np.savetxt(opened, np.empty((0, 1)), footer=footer, encoding=encoding, **options)

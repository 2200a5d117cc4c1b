"""The limit of the machine: stored bytes are read with `preadv` into reused buffers, and decoded.

The places of the chunks are looked up beforehand, nothing is checked, and only the dataset of
these benchmarks can be read.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.datasets import VARIABLE, store_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

RUN = 6 * 2**20
"""Bytes of a read of a dataset without chunks."""


class Stored(NamedTuple):
    """The place of a stored chunk, and the box of its values that lie within the array."""

    path: str
    offset: int
    nbytes: int
    box: tuple[slice, ...]


def read_chunks(path: Path, parts: int) -> Callable[[int], Iterator[np.ndarray]]:
    """Return a function that yields the values of every `parts`-th chunk from a given one on."""
    store = store_of(path)
    if store == "contiguous":
        return _runs(path, parts)
    chunks, stored = (hdf5_chunks if store == "gzip" else _zarr_chunks)(path)
    decode = {"gzip": gzip_decoder, "zstd": _zstd, "lz4": _blosc, "plain": _copy}[store]()
    longest = max(chunk.nbytes for chunk in stored)

    def decoded_values(part: int) -> Iterator[np.ndarray]:
        read = np.empty(longest, "u1")
        decoded = np.empty(4 * math.prod(chunks), "u1")
        cropped = np.empty(math.prod(chunks), "<f4")
        for chunk in stored[part::parts]:
            descriptor = os.open(chunk.path, os.O_RDONLY)
            os.preadv(descriptor, [read[: chunk.nbytes]], chunk.offset)
            os.close(descriptor)
            decode(read[: chunk.nbytes], decoded)
            values = decoded.view("<f4").reshape(chunks)[chunk.box]
            if not values.flags.c_contiguous:
                whole = values
                values = cropped[: values.size].reshape(values.shape)
                values[...] = whole
            yield values

    return decoded_values


def _runs(path: Path, parts: int) -> Callable[[int], Iterator[np.ndarray]]:
    import h5py

    with h5py.File(path) as file:
        first = file[VARIABLE].id.get_offset()
        nbytes = file[VARIABLE].nbytes

    def values(part: int) -> Iterator[np.ndarray]:
        read = np.empty(RUN, "u1")
        descriptor = os.open(path, os.O_RDONLY)
        for start in range(part * RUN, nbytes, parts * RUN):
            run = read[: min(RUN, nbytes - start)]
            os.preadv(descriptor, [run], first + start)
            yield run.view("<f4")
        os.close(descriptor)

    return values


def hdf5_chunks(path: Path) -> tuple[tuple[int, ...], list[Stored]]:
    """Return the shape and the places of the chunks of an HDF5 dataset."""
    import h5py

    with h5py.File(path) as file:
        dataset = file[VARIABLE]
        stored = []
        for number in range(dataset.id.get_num_chunks()):
            info = dataset.id.get_chunk_info(number)
            box = _box(info.chunk_offset, dataset.chunks, dataset.shape)
            stored.append(Stored(str(path), info.byte_offset, info.size, box))
        return dataset.chunks, stored


def _zarr_chunks(path: Path) -> tuple[tuple[int, ...], list[Stored]]:
    import zarr

    array = zarr.open_array(path, mode="r")
    stored = []
    for place in itertools.product(
        *[range(math.ceil(n / size)) for n, size in zip(array.shape, array.chunks, strict=True)]
    ):
        file = path.joinpath("c", *map(str, place))
        corner = [number * size for number, size in zip(place, array.chunks, strict=True)]
        box = _box(corner, array.chunks, array.shape)
        stored.append(Stored(str(file), 0, file.stat().st_size, box))
    return array.chunks, stored


def _box(corner: Sequence[int], chunks: Sequence[int], shape: Sequence[int]) -> tuple[slice, ...]:
    return tuple(
        slice(0, min(size, n - start)) for start, size, n in zip(corner, chunks, shape, strict=True)
    )


def gzip_decoder() -> Any:
    """Return a function that inflates with the fastest installed library, and unshuffles."""
    from numcodecs import Shuffle

    inflate: Callable[[Any, int], Any]
    if importlib.util.find_spec("deflate"):
        import deflate

        inflate = deflate.zlib_decompress
    else:
        inflate = lambda data, nbytes: zlib.decompress(data, bufsize=nbytes)  # noqa: E731
    unshuffle = Shuffle(4).decode
    return lambda data, out: unshuffle(inflate(data, out.size), out)


def _zstd() -> Any:
    from numcodecs import Zstd

    return Zstd().decode


def _copy() -> Any:
    return lambda data, out: np.copyto(out, data)


def _blosc() -> Any:
    from numcodecs import Blosc

    return Blosc().decode


def halve(path: Path, columns: int, target: Path, parts: int) -> None:
    """Compute the means of 2 x 2, 4 x 4 and 8 x 8 values in `parts` threads.

    Each thread writes to one file, as many bytes as overviews have.  Incomplete blocks at the
    edges of chunks are left out.
    """
    read = read_chunks(path, parts)

    def work(part: int) -> None:
        with target.joinpath(str(part)).open("wb", buffering=0) as file:
            for values in read(part):
                flat = values.ndim == 1
                planes = values[None, : values.size // columns * columns] if flat else values
                for plane in planes.reshape(len(planes), -1, columns if flat else planes.shape[2]):
                    _write_halves(plane, file)

    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(work, range(parts)))


def _write_halves(plane: np.ndarray, file: Any) -> None:
    rows, columns = [n // 8 * 8 for n in plane.shape]
    sums = plane[:rows, :columns]
    for level in range(1, 4):
        pairs = np.add(sums[::2], sums[1::2], dtype="f8")
        sums = pairs[:, ::2] + pairs[:, 1::2]
        file.write(np.multiply(sums, 0.25**level).astype("f4"))

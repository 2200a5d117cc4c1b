"""Writing Zarr: new stores, and existing arrays."""

from __future__ import annotations

import importlib
import json
import math
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import cf
from biggus.codecs.scratch import scratch
from biggus.errors import OutputError
from biggus.indexing.grid import ChunkPart, Grid
from biggus.sinks.blocks import Assigning, unchanged
from biggus.sinks.metadata import plain_value
from biggus.sinks.missing import MaskFiller
from biggus.sinks.new import NewArray, NewStore, Target, strings
from biggus.support.extras import needing
from biggus.support.forks import between_forks
from biggus.support.threads import WaitingThreads, interruptible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from biggus.graph import Node
    from biggus.labels import Labels
    from biggus.sources.base import Box, Values


class NewZarrStore(NewStore):
    """A new store in a folder, of one array or of a group of arrays.

    It has format 2, which nearly all software reads, and in which the fill value marks missing
    values.
    """

    named = None
    marks = "iufcmM"
    format = "a Zarr store"
    compressions = ("zstd", "gzip", "lz4", "blosc")

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._group: Any = None

    def stored(self, dtype: np.dtype[Any], masked: bool) -> np.dtype[Any]:
        if dtype.kind == "V":
            raise OutputError(f"values of dtype {dtype} cannot be written to Zarr; use .npy or .h5")
        return np.dtype(object) if dtype.kind == "T" else super().stored(dtype, masked)

    def metadata(self, about: Labels, dtype: np.dtype[Any]) -> tuple[dict[str, Any], Any]:
        """Return attributes and marker; an attribute records float32 scales, unknown in JSON."""
        attributes, marker = super().metadata(about, dtype)
        scales = [attributes[name] for name in ("scale_factor", "add_offset") if name in attributes]
        attributes = {name: plain_value(value) for name, value in attributes.items()}
        if scales and all(isinstance(each, np.float32) for each in scales):
            attributes[cf.KEPT_DTYPE] = "<f4"
        return attributes, marker

    def create(self, new: NewArray) -> Target:
        """Create an array: in a group if it has a name, else as the store itself."""
        with needing("zarr", "zarr", "writing a Zarr store"):
            import zarr
        how: dict[str, Any] = {
            "shape": new.shape,
            "dtype": str if new.dtype.kind == "O" else new.dtype,
            "chunks": new.chunks,
            # Without a fill value readers take no value for missing.
            "fill_value": None if new.marker is False else new.marker,
            "attributes": {**new.attributes, "_ARRAY_DIMENSIONS": list(new.dims)},
        }
        how.update(_codecs(new))

        def create() -> Any:
            if not new.name:
                return zarr.create_array(store=self.path, zarr_format=2, **how)
            if self._group is None:
                self._group = zarr.create_group(store=self.path, zarr_format=2)
            folder, _, name = new.name.rpartition("/")
            group = self._group.require_group(folder) if folder else self._group
            return group.create_array(name, **how)

        return _Array(self.path / new.name, _to_its_end(create), how, new)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes of the group."""
        if self._group is not None:
            plain = {name: plain_value(value) for name, value in attributes.items()}
            _to_its_end(lambda: self._group.attrs.update(plain))

    def close(self) -> None:
        """Consolidate the metadata of all arrays, for reading over a network."""
        if self._group is not None:
            with between_forks():
                import zarr

            _to_its_end(lambda: zarr.consolidate_metadata(self._group.store))
            self._group = None


_library_calls = WaitingThreads(1)


def _to_its_end(call: Callable[[], Any]) -> Any:
    """Return the result of a call of zarr-python, which has ended even if this is interrupted.

    zarr-python writes in a thread of its own, which does not stop when its caller is interrupted:
    it would write files of a store that is being removed.
    """
    wanted, running = [call], threading.Lock()

    def run() -> Any:
        with running:
            return [each() for each in wanted]

    try:
        with interruptible():
            [result] = _library_calls.submit(run).result()
    except BaseException:
        wanted.clear()  # if it has not begun, it never will
        with running:
            raise
    return result


def _codecs(new: NewArray) -> dict[str, Any]:
    """Return the arguments of the library for a compression."""
    compression = new.compression
    if compression is None:
        return {}
    if compression.name == "none":
        return {"compressors": None}
    with between_forks():
        numcodecs = importlib.import_module("numcodecs")
    name, level = compression.name, compression.level
    kind, _, inner = name.partition(":")
    settings: dict[str, Any] = {}
    if kind == "blosc":
        settings = {"cname": inner, "shuffle": int(compression.shuffle)}
    if level is not None:
        settings[{"lz4": "acceleration", "blosc": "clevel"}.get(kind, "level")] = level
    named = {"zstd": "Zstd", "gzip": "GZip", "lz4": "LZ4", "blosc": "Blosc"}
    arguments = {"compressors": getattr(numcodecs, named[kind])(**settings)}
    shuffles = compression.shuffle and kind != "blosc" and new.dtype.kind in "iufcmM"
    if shuffles and new.dtype.itemsize > 1:
        arguments["filters"] = [numcodecs.Shuffle(new.dtype.itemsize)]
    return arguments


class _Array(Target):
    """A writer to a new array."""

    sparse = True

    def __init__(self, path: Path, array: Any, how: dict[str, Any], new: NewArray) -> None:
        plain = new.dtype.kind in "biufcmMSU" and new.dtype.itemsize > 0
        target = ChunkFiles(path, how["fill_value"]) if plain else array
        super().__init__(target, new.label, new.shape, new.chunks, unchanged, concurrent=True)
        self._path = path
        self._how = how
        self._first = array

    def _get(self, box: Box) -> Any:
        return self._first[box]

    def mark(self, marker: Any) -> None:
        """Rewrite the metadata of the array; zarr-python cannot change a fill value."""
        with between_forks():
            import zarr

        elsewhere: dict[str, Any] = {}
        zarr.create_array(store=elsewhere, zarr_format=2, **{**self._how, "fill_value": marker})
        path = self._path / ".zarray"
        document = json.loads(path.read_bytes())
        document["fill_value"] = json.loads(elsewhere[".zarray"].to_bytes())["fill_value"]
        path.write_text(json.dumps(document, indent=2))
        self.target = ChunkFiles(self._path, marker)


def assigning_to_array(array: Any, name: str, node: Node) -> Assigning:
    """Return the writer to a ``zarr.Array`` of the user."""
    filler = MaskFiller(_marker(array), into=array.dtype) if node.masked else MaskFiller()
    textual = array.dtype.kind in "OT"

    def convert(values: Values) -> Any:
        filled = filler(values)
        return strings(filled) if textual else filled

    grid = tuple([max(1, int(n)) for n in array.shards or array.chunks])
    return Assigning(array, name, tuple(array.shape), grid, convert, concurrent=True)


def _marker(array: Any) -> Any:
    """Return the missing-value marker of an array, or None.

    A fill value of zero is no marker: it is the default of Zarr.
    """
    named = plain_value(array.attrs.get("_FillValue"))
    fill = array.fill_value if named is None else named
    if fill is None or array.dtype.kind not in "iufcMm":
        return None
    try:
        marker = np.asarray(fill).astype(array.dtype)[()]
    except (TypeError, ValueError):
        return None
    if named is None and array.dtype.kind in "iufc" and marker == 0:
        return None
    return marker


class ChunkFiles:
    """A thread-safe writer of blocks that consist of whole chunks.

    zarr-python passes every chunk between threads, compares all of it with the fill value, and
    copies it, which takes longer than to compress it with a fast codec.

    Parameters
    ----------
    path : Path
        The folder of the array, with its metadata.
    fill : scalar or None
        The value of chunks without a file; None for zeros, or NaT.
    """

    def __init__(self, path: Path, fill: Any) -> None:
        document = json.loads((path / ".zarray").read_bytes())
        self._path = path
        self._dtype = np.dtype(document["dtype"])
        # Times have no buffer interface.
        times = self._dtype.kind in "mM"
        self._plain = np.dtype(f"{self._dtype.byteorder}i8") if times else self._dtype
        self._chunks = tuple(document["chunks"])
        self._grid = Grid(tuple(document["shape"]), self._chunks)
        self._separator = document.get("dimension_separator", ".")
        named = [*(document["filters"] or ()), document["compressor"]]
        with between_forks():
            get_codec = importlib.import_module("numcodecs").get_codec
        self._codecs = [get_codec(each) for each in named if each is not None]
        self._fill = np.zeros((), self._dtype)
        if times or fill is not None:
            self._fill[...] = "NaT" if fill is None else fill
        self._fill_bytes = np.frombuffer(self._fill.tobytes(), np.uint8)

    def __setitem__(self, box: Box, values: Values) -> None:
        for part in self._grid.parts(box):
            self._write(part, self._whole(part, values))

    def _whole(self, part: ChunkPart, values: Values) -> Any:
        """Return a whole chunk in C order, filled beyond the edge of the array."""
        key: Any = (*part.outer, ...)
        part_values: Any = values[key]
        if (
            part_values.shape == self._chunks
            and part_values.flags.c_contiguous
            and part_values.dtype == self._dtype
        ):
            return part_values
        nbytes = math.prod(self._chunks) * self._dtype.itemsize
        chunk: Any = scratch("chunk", nbytes).view(self._dtype).reshape(self._chunks)
        if part_values.shape != self._chunks:
            chunk[...] = self._fill
        chunk[(*part.inner, ...)] = part_values
        return chunk

    def _write(self, part: ChunkPart, chunk: npt.NDArray[Any]) -> None:
        path = self._path / (self._separator.join(map(str, part.number)) or "0")
        if self._is_empty(chunk):
            path.unlink(missing_ok=True)
            return
        encoded: Any = chunk.view(self._plain)
        for codec in self._codecs:
            encoded = codec.encode(encoded)
        if self._separator == "/":
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded)

    def _is_empty(self, chunk: npt.NDArray[Any]) -> bool:
        """Tell whether a chunk is equal to the fill value to the bit, so that it is not stored."""
        values = chunk.reshape(-1).view(np.uint8).reshape(-1, self._dtype.itemsize)
        # For most chunks the first value suffices.
        return all(bool((part == self._fill_bytes).all()) for part in (values[:1], values))

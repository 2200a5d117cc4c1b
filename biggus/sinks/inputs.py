"""Checking that no target is also an input, which would be overwritten while being read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from biggus.backends import adopt
from biggus.errors import BiggusError, OutputError
from biggus.graph import Leaf, Node, ordered
from biggus.sources.base import Source
from biggus.sources.memory import MemorySource
from biggus.sources.wrappers import ObjectSource, Wrapper

_TOKEN = re.compile(r"\w+:(?P<path>.+?)(?:::/?(?P<name>.*?)|\|(?P<key>[^|]*)\|v\d)(?:\?\w+=\w+)?")
"""The pattern of the tokens of sources in HDF5, netCDF and Zarr stores."""

_OVERLAP_WORK = 10**5


class Inputs:
    """The sources that some nodes read; the tiles of a `GridMosaic` are unknown.

    Parameters
    ----------
    nodes : iterable of Node
        The nodes to save.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._sources: list[Source] = []
        self._objects: dict[int, Any] = {}
        for node in ordered(nodes):
            if not isinstance(node, Leaf):
                continue
            origin = node.origin
            while isinstance(origin, Wrapper):
                origin = origin.source
            if isinstance(origin, ObjectSource):
                origin = origin.obj
            if isinstance(origin, Source):
                self._sources.append(origin)
            else:
                self._objects[id(origin)] = origin

    def check_object(self, target: Any, name: str) -> None:
        """Raise an OutputError if an object is, or shares memory with, one of the inputs."""
        if id(target) in self._objects or self._holds(target):
            raise OutputError(
                f"cannot write {name}: it is one of the inputs; save to something else"
            )

    def _holds(self, target: Any) -> bool:
        if isinstance(target, np.ndarray):
            arrays = [source.array for source in self._sources if isinstance(source, MemorySource)]
            return any(_overlap(array, target) for array in arrays)
        if not self._sources:
            return False
        try:
            own = adopt(target)
        except (BiggusError, OSError, TypeError):
            return False
        return own is not None and any(_same(own, source) for source in self._sources)

    def check_path(self, path: Path) -> None:
        """Raise an OutputError if a path is, or contains, one of the inputs."""
        if not path.exists():
            return
        for source in self._sources:
            for text in _places(source):
                if _is_at(text, path):
                    raise OutputError(
                        f"cannot write {path}: {source.name} is one of the inputs; "
                        "save to something else"
                    )


def _overlap(array: Any, target: Any) -> bool:
    try:
        if np.shares_memory(array, target, max_work=_OVERLAP_WORK):  # type: ignore[arg-type]
            return True
    except np.exceptions.TooHardError:
        return True
    mine, other = _mapped(array), _mapped(target)
    if mine is None or other is None or _map_of(array) is _map_of(target):
        return False
    return _is_same_file(mine, other)


def _mapped(array: Any) -> str | None:
    """Return the file behind an array in memory, if there is one."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and array.filename is not None:
            return str(array.filename)
        array = array.base
    return None


def _map_of(array: Any) -> Any:
    while isinstance(array, np.ndarray):
        array = array.base
    return array


def _same(own: Source, other: Source) -> bool:
    """Tell whether two sources are one variable of one store."""
    if own.token is not None and own.token == other.token:
        return True
    for attribute in ("_held", "variable"):
        mine = getattr(own, attribute, None)
        # Datasets of h5py are equal if they are the same object in the file.
        if (
            mine is not None
            and not isinstance(mine, str)
            and mine == getattr(other, attribute, None)
        ):
            return True
    stores = _store_of(own), _store_of(other)
    if stores != (None, None):
        return stores[0] is stores[1] and own.name == other.name
    mine, its = _variable_of(own), _variable_of(other)
    if mine is None or its is None or mine[1] != its[1]:
        return False
    return _is_same_file(mine[0], its[0])


def _store_of(source: Source) -> Any:
    """Return the mapping or store of a `zarr.Array` of the user."""
    store = getattr(getattr(source, "store", None), "store", None)
    return getattr(store, "_store_dict", store)


def _variable_of(source: Source) -> tuple[str, str] | None:
    """Return the file of a source, and the name of the variable in it."""
    match = _TOKEN.fullmatch(source.token or "")
    if match is not None:
        return match["path"], (match["name"] or match["key"] or "").strip("/")
    path, colons, name = source.name.partition("::")
    return (path, name.strip("/")) if colons else None


def _places(source: Source) -> Iterator[str]:
    """Yield texts that may be the path of the file of a source; backends differ in where it is."""
    if isinstance(source, MemorySource):
        mapped = _mapped(source.array)
        if mapped is not None:
            yield mapped
        return
    path = getattr(source, "path", None)
    if isinstance(path, (str, os.PathLike)):
        yield os.fspath(path)
    for text in {source.token or "", (source.token or "").partition(":")[2], source.name}:
        for end in ("::", "|"):
            yield text.partition(end)[0]


def _is_at(text: str, path: Path) -> bool:
    if not text or "\0" in text:
        return False
    try:
        place = Path(text)
        if place.exists():
            return place.samefile(path) or path.resolve() in place.resolve().parents
    except (OSError, ValueError, RuntimeError):
        pass
    return False


def _is_same_file(one: str, other: str) -> bool:
    if os.path.abspath(one) == os.path.abspath(other):  # noqa: PTH100 - the texts may not be paths
        return True
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):
        return False

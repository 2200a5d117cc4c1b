"""Compression: how chunks are made shorter, by names that are the same in all formats."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

_LEVELS = {
    "zstd": (-131072, 22),
    "gzip": (0, 9),
    "zlib": (0, 9),
    "lz4": (1, 65537),
    "lzf": None,
    "blosc": (0, 9),
}
"""The levels of each, from the fastest to the one that makes the shortest; None: there is one."""


class Compression(NamedTuple):
    """How chunks are compressed."""

    name: str
    """``"zstd"``, ``"gzip"``, ``"lz4"``, ``"lzf"``, ``"blosc:lz4"`` and its like; ``"none"``.

    ``"zlib"`` is what HDF5 calls gzip: Zarr stores have better, and do not take it over.
    """

    level: int | None = None
    """As the library counts it; None: its own choice."""

    shuffle: bool = False
    """Whether the first bytes of all values come first, then the second."""

    def __str__(self) -> str:
        return self.name if self.level is None else f"{self.name}, level {self.level}"


def given_compression(given: Any) -> Compression | None:
    """Return what a user asks for: a name, or a name and a level; False: none at all.

    Raises
    ------
    TypeError
        If it is none of these.
    ValueError
        If there is no compression of that name, or it has no such level.

    Examples
    --------
    >>> given_compression(("zstd", 3))
    Compression(name='zstd', level=3, shuffle=True)
    """
    if given is None or isinstance(given, Compression):
        return given
    if given is False:
        return Compression("none")
    name, level = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
    if not isinstance(name, str):
        raise TypeError(f"a compression is a name, or a name and a level: not {given!r}")
    kind, _, inner = name.partition(":")
    if kind not in _LEVELS or (kind == "blosc") != bool(inner):
        known = ", ".join([*(known for known in _LEVELS if known != "blosc"), "blosc:lz4"])
        raise ValueError(f"there is no compression {name!r}: there are {known}")
    levels = _LEVELS[kind]
    if level is not None:
        level = operator.index(level)
        if levels is None or not levels[0] <= level <= levels[1]:
            raise ValueError(f"{name} has no level {level}")
    return Compression(name, level, shuffle=True)

"""Compression of chunks, under names that are the same in all formats."""

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
"""The lowest and highest level of each; None if there are no levels."""


class Compression(NamedTuple):
    """The compression of the chunks of an array."""

    name: str
    """``"zstd"``, ``"gzip"``, ``"lz4"``, ``"lzf"``, ``"blosc:lz4"`` and the like, or ``"none"``.

    ``"zlib"`` is the gzip filter of HDF5.  New Zarr stores do not adopt it, for they have better.
    """

    level: int | None = None
    """The level, as the library counts it; None for its default."""

    shuffle: bool = False
    """Whether bytes are shuffled: the first bytes of all values, then the second ones, ..."""

    def __str__(self) -> str:
        return self.name if self.level is None else f"{self.name}, level {self.level}"


def given_compression(wanted: Any) -> Compression | None:
    """Return the compression that a user asks for.

    Parameters
    ----------
    wanted : str, (str, int), Compression, False or None
        A name, or a name and a level.  False stands for no compression, None for no choice.

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
    if wanted is None or isinstance(wanted, Compression):
        return wanted
    if wanted is False:
        return Compression("none")
    name, level = wanted if isinstance(wanted, tuple) and len(wanted) == 2 else (wanted, None)
    if not isinstance(name, str):
        raise TypeError(f"a compression is a name, or a name and a level: not {wanted!r}")
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

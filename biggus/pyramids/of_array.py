"""Overviews of any array: a pyramid that biggus makes, and keeps."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Any

from biggus import options
from biggus.adapt import leaf_of, node_of
from biggus.array import Array
from biggus.caching import chosen_cache
from biggus.errors import CacheError, MemoryBudgetError
from biggus.options import format_bytes
from biggus.pyramids.averaging import averaging_of
from biggus.pyramids.between import BetweenSource, between_of
from biggus.pyramids.building import build
from biggus.pyramids.keeping import InCache, InMemory
from biggus.pyramids.layout import PyramidLayout, picture_axes
from biggus.pyramids.overview import OverviewSource, Reducer
from biggus.pyramids.pyramid import Pyramid
from biggus.sources import studying
from biggus.sources.base import whole
from biggus.sources.memory import MemorySource, Remade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.cache import Cache
    from biggus.cache.cached import Cached
    from biggus.sources.base import Source

_log = logging.getLogger("biggus.pyramids")

_SETTLING_SECONDS = 2.1
"""After so long a file that was just written has a state that can be told from others."""


def overviews(
    array: Any,
    *,
    axes: tuple[int, int] | None = None,
    method: str | None = None,
    cache: Cache | bool | None = None,
) -> Pyramid:
    """Make a pyramid of an array: levels of half its rows and columns, a quarter, ...

    Of an array that is far larger than a screen there is one level more between two of these,
    of little more than an element a pixel of a window of 1000 by 800 that shows all of it.

    It takes one pass over the array, in bounded memory, on several threads; the levels are
    kept in the cache, chunk by chunk, and found there the next time, for as long as what
    they were made of has not changed.  An array without an identity, such as one in
    memory, has its levels in memory.

    Parameters
    ----------
    array : Array
        Of two axes or more.
    axes : tuple of int, optional
        Its rows and columns; by default its last two axes, or those before a last axis of
        one, three or four colours.
    method : {"mean", "mode"}, optional
        What stands for a block of values: their mean, rounded once, or for categories the
        most frequent one (from the fourth level on of those of eight by eight).  Values that
        are missing, or NaN, are left out; where nothing is left, that is missing.
    cache : Cache or bool, optional
        Where the levels are kept: by default in the cache of the options, or the default one.
        False: in memory.

    Returns
    -------
    Pyramid
        The array, and its levels.

    Raises
    ------
    TypeError
        If the values have no mean, or no mode.
    ValueError
        If there is no such method, or the axes are none of the array's.
    MemoryBudgetError
        If a region, or the levels that go to memory, do not fit into the memory option.
    SourceError
        If a read fails.
    CacheError
        If the array is being written to, so that nothing of it can be kept.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.arange(1000.0 * 800).reshape(1000, 800))
    >>> pyramid = biggus.overviews(a)
    >>> [array.shape for array in pyramid]
    [(1000, 800), (500, 400), (250, 200)]
    >>> float(pyramid[2][0, 0].ndarray()), float(a[:4, :4].mean())
    (1201.5, 1201.5)
    """
    made = _Made(array, axes, method)
    if not made.sources:
        return made.pyramid([])
    if made.reducer.made_of is None:
        why = "the array has no identity under which they could be kept: give its source a token="
        return _all_in_memory(made, why)
    chosen = _cache(cache)
    if chosen is None:
        return _all_in_memory(made, "there is no cache that could keep them")
    levels = [chosen.wrap(source) for source in made.sources]
    if not _is_kept(chosen, levels[-1]):
        _build(made.reducer, chosen, levels)
    between = made.between(levels)
    if between is None:
        return made.pyramid(levels)
    kept = chosen.wrap(between)
    if not _is_kept(chosen, kept):
        for part in kept.grid.parts(whole(kept.shape)):
            kept.fetch(part.chunk)
    return made.pyramid(levels, kept)


def kept_overviews(
    array: Any,
    *,
    axes: tuple[int, int] | None = None,
    method: str | None = None,
    cache: Cache | bool | None = None,
) -> Pyramid | None:
    """Return the pyramid that :func:`overviews` has made of an array, if it is kept and good.

    Reads nothing of the array.  Its parameters are those of :func:`overviews`.

    Returns
    -------
    Pyramid or None
        None if there is none, or something that it was made of has changed.
    """
    try:
        made = _Made(array, axes, method)
    except TypeError:
        return None
    if not made.sources:
        return made.pyramid([])
    chosen = None if made.reducer.made_of is None else _cache(cache)
    if chosen is None:
        return None
    levels = [chosen.wrap(source) for source in made.sources]
    if not _is_kept(chosen, levels[-1]):
        return None
    between = made.between(levels)
    kept = None if between is None else chosen.wrap(between)
    there = kept is not None and _is_kept(chosen, kept)
    return made.pyramid(levels, kept if there else None)


def coarsened(
    array: Any, most: int, *, axes: tuple[int, int] = (-2, -1), method: str | None = None
) -> tuple[Array, int]:
    """Return an array of no more than so many rows and columns, of the means of another's.

    It is in memory, and alone: no other level is.  What needs none is returned as it is.

    Parameters
    ----------
    array : Array
        Of two axes or more.
    most : int
        Rows or columns.
    axes, method
        As for :func:`overviews`.

    Returns
    -------
    array : Array
    factor : int
        Of how many rows and columns each of its own stands for the mean.

    Raises
    ------
    TypeError, ValueError, MemoryBudgetError, SourceError
        As for :func:`overviews`.
    """
    made = _Made(array, axes, method)
    rows, columns = made.layout.axes
    shapes = [made.finest.shape, *(source.shape for source in made.sources)]
    fit = (n for n, shape in enumerate(shapes) if max(shape[rows], shape[columns]) <= most)
    level = next(fit, len(shapes) - 1)
    if not level:
        return made.finest, 1
    why = "nothing keeps them"
    [source] = _in_memory(made.reducer, made.sources[level - 1 : level], why)
    return Array.from_node(leaf_of(source, decode=False)), int(made.layout.factors(level)[rows])


class _Made:
    """An array, and what its levels are made by.

    Parameters
    ----------
    array, axes, method
        As for :func:`overviews`.

    Attributes
    ----------
    finest : Array
        The array.
    sources : list of OverviewSource
        The levels, from the first on; none if there is nothing to make coarser.
    """

    def __init__(self, array: Any, axes: tuple[int, int] | None, method: str | None) -> None:
        node = node_of(array)
        ndim = len(node.shape)
        self.finest = Array.from_node(node)
        rows, columns = picture_axes(node.shape) if axes is None else axes
        Pyramid([(self.finest, (1,) * ndim)], (rows, columns))  # checks the axes
        self.layout = PyramidLayout.of(node.shape, (rows % ndim, columns % ndim), node.grid)
        self.reducer = Reducer(node, self.layout, averaging_of(node.dtype, method))
        count = 0 if 0 in node.shape else self.layout.levels
        self.sources = [OverviewSource(self.reducer, level) for level in range(1, count + 1)]

    def between(self, levels: Sequence[Source]) -> BetweenSource | None:
        """Return one level more, made of these, if it is of use."""
        found = between_of(self.layout) if levels else None
        if found is None:
            return None
        level, side = found
        return BetweenSource(self.sources[level - 1], levels[level - 1], side)

    def pyramid(self, levels: Sequence[Source], between: Source | None = None) -> Pyramid:
        """Return the array with its levels, and one more between two of them."""
        sources = dict(enumerate(levels, start=1))
        pairs = [(source, self.layout.factors(level)) for level, source in sources.items()]
        found = between_of(self.layout)
        if between is not None and found is not None:
            level, side = found
            factors = self.layout.factors(level)
            pairs.append((between, tuple([f * side if f > 1 else f for f in factors])))
            pairs.sort(key=lambda pair: math.prod(pair[1]))
        coarser = [
            (Array.from_node(leaf_of(source, decode=False)), factors) for source, factors in pairs
        ]
        return Pyramid([(self.finest, (1,) * self.finest.ndim), *coarser], self.layout.axes)


def _cache(cache: Cache | bool | None) -> Cache | None:
    """Return the cache for overviews: that of the options, else the default one; None for none."""
    if studying.current() is not None:
        return None  # what is kept says not what it was made from
    said = options.current().cache if cache is None else cache
    return chosen_cache(True if said is None else said, remote=False)


def _all_in_memory(made: _Made, why: str) -> Pyramid:
    levels = _in_memory(made.reducer, made.sources, why)
    between = made.between([MemorySource(level.array) for level in levels])
    if between is None:
        return made.pyramid(levels)
    values = between[whole(between.shape)]
    return made.pyramid(levels, Remade(values, made.between(made.sources) or between))


def _in_memory(reducer: Reducer, sources: list[OverviewSource], why: str) -> list[Remade]:
    """Make levels in memory, for a reason that is told if they do not fit."""
    needed = sum(Array.from_node(leaf_of(source)).nbytes for source in sources)
    if needed > options.current().memory:
        raise MemoryBudgetError(
            f"the overviews take {format_bytes(needed)}, more than the memory option allows, and "
            f"{why}"
        )
    keeper = InMemory(sources)
    build(reducer, keeper)
    return [Remade(keeper.arrays[source.level], source) for source in sources]


def _build(reducer: Reducer, cache: Cache, levels: list[Cached]) -> None:
    source = levels[-1].source
    started = time.perf_counter()
    box = whole(source.shape)
    if source.validator(box) is None:
        time.sleep(_SETTLING_SECONDS)
    if source.validator(box) is None:
        raise CacheError(
            f"{source.name} cannot be kept: what it is made of has no state that can be "
            "told from others; cache=False makes overviews in memory"
        )
    build(reducer, InCache(cache, levels))
    _log.info("%s made in %.1f s", source.name, time.perf_counter() - started)


def _is_kept(cache: Cache, level: Cached) -> bool:
    """Tell whether a level is in a cache, made of what is there now."""
    source = level.source
    for part in level.grid.parts(whole(level.shape)):
        held = cache.validator(level.key(part.chunk))
        if held is None or source.revalidate(part.chunk, held) is None:
            return False
    return True

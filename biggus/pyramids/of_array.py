"""Overviews: pyramids that biggus computes from any array, and caches."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Any

from biggus import engine, options
from biggus.adapt import leaf_of, node_of
from biggus.array import Array
from biggus.caching import chosen_cache
from biggus.errors import CacheError, MemoryBudgetError
from biggus.options import format_bytes
from biggus.pyramids.averaging import averaging_of
from biggus.pyramids.building import build
from biggus.pyramids.keeping import InCache, InMemory
from biggus.pyramids.layout import PyramidLayout, picture_axes
from biggus.pyramids.overview import OverviewSource, Reducer
from biggus.pyramids.pyramid import Pyramid
from biggus.pyramids.screen_level import BetweenSource, between_of
from biggus.sources import studying
from biggus.sources.base import Source, whole
from biggus.sources.memory import MemorySource, Remade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.cache import Cache
    from biggus.cache.cached import Cached

_log = logging.getLogger("biggus.pyramids")

_SETTLING_SECONDS = 2.1
"""How long to wait for the state of a file that was just written to become known."""


def overviews(
    array: Any,
    *,
    axes: tuple[int, int] | None = None,
    method: str | None = None,
    cache: Cache | bool | None = None,
) -> Pyramid:
    """Make a pyramid of an array, with levels of half its rows and columns, a quarter, ...

    An array far larger than a screen has an extra level between two of these, with little more
    than one element for each pixel of a window of 1000 by 800 that shows the whole array.

    The levels are computed in one pass over the array, in bounded memory, on several threads.
    They are kept in the cache, chunk by chunk, and found there the next time as long as the data
    have not changed.  The levels of an array without an identity, such as one in memory, are
    kept in memory.

    Parameters
    ----------
    array : Array
        An array of two axes or more.
    axes : tuple of int, optional
        Its rows and columns; by default its last two axes, or those before a last axis of
        one, three or four colours.
    method : {"mean", "mode"}, optional
        How a block of values is averaged: by the mean, rounded once, or for categories by the
        most frequent value (from the fourth level on, of the modes of blocks of 8 by 8).  Values
        that are masked or NaN are left out; a block without other values is masked.
    cache : Cache or bool, optional
        The cache for the levels; by default that of the options, or the default one.  False
        keeps them in memory.

    Returns
    -------
    Pyramid
        The array, and its levels.

    Raises
    ------
    TypeError
        If the values have no mean, or no mode.
    ValueError
        If there is no such method, or the array does not have the axes.
    MemoryBudgetError
        If a region, or the levels in memory, exceed the memory option.
    SourceError
        If a read fails.
    CacheError
        If the array is being written to, so that its levels cannot be cached.

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
    overview = _Overview(array, axes, method)
    if not overview.sources:
        return overview.pyramid([])
    if overview.reducer.made_of is None:
        why = "cannot be cached, as the array has no identity: give its source a `token=`"
        return _all_in_memory(overview, why)
    chosen = _cache(cache)
    if chosen is None:
        return _all_in_memory(overview, "there is no cache to keep them")
    levels, between = overview.cached(chosen)
    if not _is_kept(chosen, levels[-1]):
        _build(overview.reducer, chosen, levels)
    if between is not None and not _is_kept(chosen, between):
        for part in between.grid.parts(whole(between.shape)):
            between.fetch(part.chunk)
    return overview.pyramid(levels, between)


def kept_overviews(
    array: Any,
    *,
    axes: tuple[int, int] | None = None,
    method: str | None = None,
    cache: Cache | bool | None = None,
) -> Pyramid | None:
    """Return the pyramid that :func:`overviews` made of an array, if it is cached and still valid.

    Reads nothing of the array.  The parameters are those of :func:`overviews`.

    Returns
    -------
    Pyramid or None
        None if there is no pyramid, or the data have changed since.
    """
    if node_of(array).needs_reduction:
        return None
    try:
        overview = _Overview(array, axes, method)
    except TypeError:
        return None
    if not overview.sources:
        return overview.pyramid([])
    chosen = None if overview.reducer.made_of is None else _cache(cache)
    if chosen is None:
        return None
    levels, between = overview.cached(chosen)
    if not _is_kept(chosen, levels[-1]):
        return None
    there = between is not None and _is_kept(chosen, between)
    return overview.pyramid(levels, between if there else None)


def coarsened(
    array: Any, most: int, *, axes: tuple[int, int] = (-2, -1), method: str | None = None
) -> tuple[Array, int]:
    """Return the finest level of an array with at most `most` rows and columns, in memory.

    An array that is small enough is returned unchanged.

    Parameters
    ----------
    array : Array
        An array of two axes or more.
    most : int
        The largest number of rows and of columns.
    axes, method
        As for :func:`overviews`.

    Returns
    -------
    array : Array
        The level.
    factor : int
        How many rows and columns of `array` each of its rows and columns covers.

    Raises
    ------
    TypeError, ValueError, MemoryBudgetError, SourceError
        As for :func:`overviews`.
    """
    overview = _Overview(array, axes, method)
    rows, columns = overview.layout.axes
    shapes = [overview.finest.shape, *(source.shape for source in overview.sources)]
    fit = (n for n, shape in enumerate(shapes) if max(shape[rows], shape[columns]) <= most)
    level = next(fit, len(shapes) - 1)
    if not level:
        return overview.finest, 1
    [source] = _in_memory(overview.reducer, overview.sources[level - 1 : level], "are not cached")
    return Array.from_node(leaf_of(source, decode=False)), int(overview.layout.factors(level)[rows])


class _Overview:
    """An array, and the sources of its levels.

    Parameters
    ----------
    array, axes, method
        As for :func:`overviews`.

    Attributes
    ----------
    finest : Array
        The array.
    sources : list of OverviewSource
        The levels, from the first on; empty if the array is small.
    """

    def __init__(self, array: Any, axes: tuple[int, int] | None, method: str | None) -> None:
        node = engine.reduced(node_of(array))  # else each tile would go through the data again
        ndim = len(node.shape)
        self.finest = Array.from_node(node)
        rows, columns = picture_axes(node.shape) if axes is None else axes
        Pyramid([(self.finest, (1,) * ndim)], (rows, columns))  # checks the axes
        self.layout = PyramidLayout.of(node.shape, (rows % ndim, columns % ndim), node.grid)
        self.reducer = Reducer(node, self.layout, averaging_of(node.dtype, method))
        count = 0 if 0 in node.shape else self.layout.levels
        self.sources = [OverviewSource(self.reducer, level) for level in range(1, count + 1)]

    def cached(self, cache: Cache) -> tuple[list[Cached], Cached | None]:
        """Return the levels, and the extra level if there is one, with a cache around each."""
        levels = [cache.wrap(source) for source in self.sources]
        between = self.between(levels)
        return levels, None if between is None else cache.wrap(between)

    def between(self, levels: Sequence[Source]) -> BetweenSource | None:
        """Return the source of the extra level, computed from `levels`; None if there is none."""
        found = between_of(self.layout) if levels else None
        if found is None:
            return None
        level, side = found
        return BetweenSource(self.sources[level - 1], levels[level - 1], side)

    def pyramid(self, levels: Sequence[Source], between: Source | None = None) -> Pyramid:
        """Return the pyramid of the array, its levels, and perhaps an extra one between two."""
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
        return None  # cached levels do not tell a study what they were computed from
    return chosen_cache(cache, remote=True)  # like remote values, they are cached by default


def _all_in_memory(overview: _Overview, why: str) -> Pyramid:
    levels = _in_memory(overview.reducer, overview.sources, why)
    between = overview.between([MemorySource(level.array) for level in levels])
    if between is None:
        return overview.pyramid(levels)
    values = between[whole(between.shape)]
    return overview.pyramid(levels, Remade(values, overview.between(overview.sources) or between))


def _in_memory(reducer: Reducer, sources: list[OverviewSource], why: str) -> list[Remade]:
    """Compute levels in memory; `why` explains in errors why they are not cached."""
    needed = sum(Array.from_node(leaf_of(source)).nbytes for source in sources)
    if needed > options.current().memory:
        raise MemoryBudgetError(
            f"the overviews take {format_bytes(needed)}, more than the memory option allows, and "
            f"{why}; allow more with `biggus.set_options(memory=...)`"
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
            f"{source.name} cannot be cached: the state of the data that it is computed from is "
            "unknown; `cache=False` keeps overviews in memory"
        )
    build(reducer, InCache(cache, levels))
    _log.info("%s made in %.1f s", source.name, time.perf_counter() - started)


def _is_kept(cache: Cache, level: Cached) -> bool:
    """Return whether a level is in a cache, and valid for the present data."""
    source = level.source
    for part in level.grid.parts(whole(level.shape)):
        validator = cache.validator(level.key(part.chunk))
        if validator is None or source.revalidate(part.chunk, validator) is None:
            return False
    return True

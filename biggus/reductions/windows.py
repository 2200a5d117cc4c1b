"""Statistics of adjacent windows, as of ``coarsen`` in xarray."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from biggus import statistics
from biggus.expressions import text_of
from biggus.graph import BaseStep, BlockPlace, Blockwise, Node, Reach
from biggus.indexing.grid import Lengths, default_chunks
from biggus.indexing.reduction_blocks import LARGEST
from biggus.reductions.along import Ranked
from biggus.sources.base import Values, box_shape
from biggus.statistics.registry import ENTRIES
from biggus.support.hidden_warnings import hidden_messages, hiding
from biggus.support.similar import did_you_mean

ENDS = ("first", "last", "nanfirst", "nanlast")
"""Statistics of windows that have no function of their own."""


class OfWindows(BaseStep):
    """A statistic of each window of a block.

    Parameters
    ----------
    name : str
        The name of the statistic.
    node : Node
        The node of the values.
    factors : mapping of int to int
        The length of a window along each axis; 1 along those not given.
    parameters : mapping
        The parameters of the statistic.
    """

    def __init__(
        self, name: str, node: Node, factors: Mapping[int, int], parameters: Mapping[str, Any]
    ) -> None:
        self.name = name
        self.hidden = hidden_messages()
        self.factors = dict(factors)
        self.parameters = dict(parameters)
        self.input_dtype = node.dtype
        size = math.prod(factors.values())
        statistic = self._made((1, size), node.masked)
        self.dtype = np.dtype(statistic.dtype)
        self.masked = node.masked and (isinstance(statistic, Ranked) or statistic.masked)

    def _made(self, shape: tuple[int, int], masked: bool) -> Any:
        """Return the statistic of lines of a shape, or the step of a median or of quantiles."""
        if ENTRIES[self.name].ranked:
            options = dict(self.parameters)
            q = (options.pop("q"),) if "q" in options else ()
            method = options if q else {}
            return Ranked(self.name, self.input_dtype, shape, (1,), q, method)
        return statistics.statistic(
            self.name, self.input_dtype, masked, shape, (1,), **self.parameters
        )

    @property
    def key(self) -> str | None:
        """A text that equal steps share; None if there is none."""
        text = text_of((*self.factors.items(), *sorted(self.parameters.items())))
        return None if text is None else f"{self.name} of windows {text} {self.input_dtype!r}"

    def __call__(self, place: BlockPlace, *blocks: Values) -> Values:
        """Return the statistic of each window of a block; the last may be cut short."""
        shape = box_shape(place.box)
        lines = _lines(_whole(blocks[0], shape, self.factors), self.factors)
        statistic = self._made(lines.shape, isinstance(lines, np.ma.MaskedArray))
        if isinstance(statistic, Ranked):
            statistic.hidden = self.hidden
            results: Any = statistic(lines)
        else:
            partials = statistics.partials([statistic.aggregator], lines, (1,), (0, 0))[0]
            with hiding(self.hidden):
                results = statistic.proceed(partials)
        results = results.reshape(shape)
        if isinstance(results, np.ma.MaskedArray) and not self.masked:
            values = results.data.astype(self.dtype, copy=False)
            return np.where(results.mask, np.nan, values) if self.dtype.kind in "fc" else values
        return results.astype(self.dtype, copy=False)  # type: ignore[no-any-return]


def _whole(block: Any, shape: tuple[int, ...], factors: Mapping[int, int]) -> Any:
    """Return a block of whole windows, with missing values appended where the last is short."""
    wanted = [n * factors.get(axis, 1) for axis, n in enumerate(shape)]
    if list(block.shape) == wanted:
        return block
    values = np.zeros(wanted, block.dtype)
    mask = np.ones(wanted, bool)
    there = tuple([slice(n) for n in block.shape])
    values[there] = np.ma.getdata(block)
    mask[there] = np.ma.getmaskarray(block)
    return np.ma.MaskedArray(values, mask)


def _lines(values: Any, factors: Mapping[int, int]) -> Any:
    """Return the values of each window as a line, in C order."""
    shape: list[int] = []
    within: list[int] = []
    for axis, n in enumerate(values.shape):
        shape.append(n // factors.get(axis, 1))
        if axis in factors:
            within.append(len(shape))
            shape.append(factors[axis])
    outside = [place for place in range(len(shape)) if place not in within]
    turned = values.reshape(shape).transpose(outside + within)
    return turned.reshape(-1, math.prod(factors.values()))


def of_windows(
    node: Node, name: str, factors: Mapping[int, int], parameters: Mapping[str, Any], cut: bool
) -> Node:
    """Return the node of a statistic of adjacent windows.

    Parameters
    ----------
    node : Node
    name : str
        The name of the statistic.
    factors : mapping of int to int
        The length of a window along each axis; 1 along those not given.
    parameters : mapping
        The parameters of the statistic.
    cut : bool
        Whether a last window that is not whole is dropped; otherwise it has fewer values.

    Raises
    ------
    ValueError
        If windows have no such statistic.
    """
    row = ENTRIES.get(name)
    known = row is not None and (row.signature is not None or name in ENDS)
    if not known:
        hint = did_you_mean(name, ENTRIES) or "; the statistics are mean, sum, max and their like"
        raise ValueError(f"there is no {name!r} of windows{hint}")
    step = OfWindows(name, node, factors, parameters)
    shape = tuple(
        [
            n // factors.get(axis, 1) if cut else -(-n // factors.get(axis, 1))
            for axis, n in enumerate(node.shape)
        ]
    )
    blocks = _blocks(node, shape, factors)
    reaches = [Reach(axis, factor=factors.get(axis, 1)) for axis in range(len(shape))]
    return Blockwise(step, [node], [reaches], shape, blocks)


def _blocks(node: Node, shape: tuple[int, ...], factors: Mapping[int, int]) -> tuple[Lengths, ...]:
    """Return the blocks of windows: whole chunks, if they are not too large."""
    grid = node.grid or default_chunks(node.shape, node.dtype.itemsize)
    blocks: list[Lengths] = []
    room = LARGEST // max(1, math.prod(factors.values()))
    for axis, n in enumerate(shape):
        lengths, factor = grid[axis], factors.get(axis, 1)
        several = lengths if isinstance(lengths, tuple) else (lengths,)
        longest = max(1, min(n, max(several, default=1) // factor))
        fits = longest <= room and not any(one % factor for one in several)
        longest = min(longest, max(1, room))
        room //= longest
        whole = isinstance(lengths, tuple) and fits
        blocks.append(tuple([one // factor for one in several]) if whole else longest)
    return tuple(blocks)

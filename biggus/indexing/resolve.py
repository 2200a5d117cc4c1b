"""Resolving: a selection is cut at edges into parts, each of which lies in one piece.

A part is a pair of selections over the same dims: `selection`, of the array that is read, and
`out_selection`, of the result.  Both are cut in the same way, so a part always says where its
elements come from and where they go.

Pure: knows no source and reads nothing.  Pieces without a selected element cost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.indexing.selection import (
    ArrayMap,
    AxisMap,
    DimensionMap,
    Positions,
    Selection,
    spread_over,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from biggus.indexing.grid import Edges


class SelectionPart(NamedTuple):
    """The part of a selection that lies in one piece of an axis."""

    piece: int
    """The number of the piece."""

    selection: Selection
    """The elements of the array that is read."""

    out_selection: Selection
    """The elements of the result that they go to."""


def split(
    selection: Selection, out_selection: Selection, axis: int, edges: Edges
) -> Iterator[SelectionPart]:
    """Cut a non-empty selection at the edges of `axis`.

    Yields
    ------
    SelectionPart
        One for each piece with a selected element; positions in `selection` count from the start
        of the axis.
    """
    m = selection.maps[axis]
    if type(m) is DimensionMap:
        yield from _split_strided(selection, out_selection, m, edges)
    elif type(m) is ArrayMap:
        numbers = laid_out(selection, axis, edges.find_all(m.index))
        yield from split_numbered(selection, out_selection, axis, numbers)
    else:
        yield SelectionPart(edges.find(m.index), selection, out_selection)


def split_all(
    selection: Selection,
    out_selection: Selection,
    axes: Sequence[tuple[int, Any]],
    cut: Callable[[Selection, Selection, int, Any], Iterator[SelectionPart]] = split,
) -> Iterator[tuple[Selection, Selection]]:
    """Cut a non-empty selection at the edges of several axes, with the function `cut`."""
    if not axes:
        yield selection, out_selection
        return
    (axis, edges), *others = axes
    for part in cut(selection, out_selection, axis, edges):
        yield from split_all(part.selection, part.out_selection, others, cut)


def _split_strided(
    selection: Selection, out_selection: Selection, m: DimensionMap, edges: Edges
) -> Iterator[SelectionPart]:
    n = selection.shape[m.dim]
    for piece, start, stop in strided_pieces(m, n, edges):
        if stop - start == n:
            yield SelectionPart(piece, selection, out_selection)
        else:
            yield SelectionPart(
                piece,
                selection.restrict(m.dim, start, stop),
                out_selection.restrict(m.dim, start, stop),
            )


def strided_pieces(m: DimensionMap, n: int, edges: Edges) -> Iterator[tuple[int, int, int]]:
    """Yield each piece with a position of `m`, and the first and last plus one of the `n` indices.

    The indices count along the dim of the map.
    """
    start = 0
    while start < n:
        piece = edges.find(m.start + m.step * start)
        stop = min(n, m.leaves(*edges.bounds(piece)))
        yield piece, start, stop
        start = stop


def split_numbered(
    selection: Selection, out_selection: Selection, axis: int, numbers: Positions
) -> Iterator[SelectionPart]:
    """Cut a selection with index arrays by the piece that each position is in.

    All dims that index arrays tie together are replaced by one new dim, in the place of the first
    of them, because the positions in one piece need not form a rectangle.

    Parameters
    ----------
    selection, out_selection : Selection
    axis : int
        One of the axes of the index arrays.
    numbers : ndarray
        The piece of each position, as returned by :func:`laid_out`.
    """
    joint = selection.joint_dims(axis)
    lengths = tuple([selection.shape[dim] for dim in joint])
    if (numbers == numbers[0]).all():
        yield SelectionPart(int(numbers[0]), selection, out_selection)
        return
    small = _small(numbers)
    order = np.argsort(small, kind="stable")
    sorted_numbers = small[order]
    starts = [0, *(np.flatnonzero(np.diff(sorted_numbers)) + 1).tolist()]
    for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
        number, first, last = (
            int(a) for a in (numbers[order[start]], order[start], order[stop - 1])
        )
        if len(joint) == 1 and last - first == stop - start - 1:
            dim = joint[0]
            yield SelectionPart(
                number,
                selection.restrict(dim, first, last + 1),
                out_selection.restrict(dim, first, last + 1),
            )
            continue
        coordinates = np.unravel_index(order[start:stop], lengths)
        narrow = _pick(selection.shape, joint, coordinates)
        yield SelectionPart(number, selection.compose(narrow), out_selection.compose(narrow))


def laid_out(selection: Selection, axis: int, positions: Positions) -> Positions:
    """Return positions along an axis with an index array, broadcast to all tied dims, and flat."""
    m = selection.maps[axis]
    assert type(m) is ArrayMap
    joint = selection.joint_dims(axis)
    spread = spread_over(positions, m.dims, joint)
    return np.broadcast_to(spread, [selection.shape[dim] for dim in joint]).ravel()


def _small(numbers: Positions) -> np.ndarray[tuple[int, ...], np.dtype[Any]]:
    """Return numbers of the same order, if possible of a dtype that NumPy sorts in linear time."""
    low = numbers.min()
    return (numbers - low).astype(np.uint16) if numbers.max() - low < 2**16 else numbers


def _pick(
    shape: tuple[int, ...],
    joint: tuple[int, ...],
    coordinates: tuple[Positions, ...],
) -> Selection:
    """Return the selection of points of the `joint` dims along one new dim."""
    maps: list[AxisMap] = []
    result: list[int] = []
    new = joint[0]
    by_dim = dict(zip(joint, coordinates, strict=True))
    for dim, n in enumerate(shape):
        if dim == new:
            result.append(len(coordinates[0]))
        if dim in by_dim:
            maps.append(ArrayMap((new,), by_dim[dim]))
        else:
            maps.append(DimensionMap(len(result), 0, 1))
            result.append(n)
    return Selection(tuple(result), tuple(maps))

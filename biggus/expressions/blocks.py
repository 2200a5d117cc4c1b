"""Functions of blocks: what a caller's function is given, and has to give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.expressions.apply import Slot
from biggus.expressions.names import name_of, text_of
from biggus.graph import BaseStep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from biggus.graph import BlockPlace
    from biggus.sources.base import Values


class OfBlocks(BaseStep):
    """A function that is given the blocks of arrays, as they are.

    Parameters
    ----------
    function : callable
        Of blocks, and of what else it is given.
    arguments : sequence
        What it is given: a `Slot` for each block.
    keywords : mapping
        What it is given by name.
    dtype : dtype
        Of what it gives: results of the same kind are cast to that.
    masked : bool
        Whether values that it gives can be missing.
    numbered : bool
        Whether it is told, as `block_id`, which block it makes.
    margins : sequence of int, optional
        By how much the array that it is given a part of, with what is around a block, begins
        before the result along each axis: what it gives of what is around is cut off.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: Sequence[Any],
        keywords: Mapping[str, Any],
        dtype: np.dtype[Any],
        masked: bool = False,
        numbered: bool = False,
        margins: Sequence[int] | None = None,
    ) -> None:
        self.function = function
        self.arguments = tuple(arguments)
        self.keywords = dict(keywords)
        self.dtype = dtype
        self.masked = masked
        self.numbered = numbered
        self.margins = None if margins is None else tuple(margins)

    @property
    def key(self) -> str | None:
        """What is equal for steps that do the same; None if that is not known."""
        given = [f"#{one}" if type(one) is Slot else text_of(one) for one in self.arguments]
        named = [(word, text_of(value)) for word, value in sorted(self.keywords.items())]
        name = name_of(self.function)
        if name is None or None in given or any(text is None for _, text in named):
            return None
        return f"{name} of blocks {given} {named} {self.dtype!r} {self.numbered} {self.margins}"

    def __call__(self, place: BlockPlace, *blocks: Values) -> Values:
        """Return what it gives at a place."""
        given = [blocks[one] if type(one) is Slot else one for one in self.arguments]
        more = {"block_id": place.number} if self.numbered else {}
        values: Values = self._cast(self.function(*given, **self.keywords, **more))
        if self.margins is None:
            return values
        [around] = place.operands
        if values.shape != blocks[0].shape:
            raise ValueError(
                f"a function of blocks with what is around them gave {values.shape} of "
                f"{blocks[0].shape}: it has to keep the shape"
            )
        inner = [
            slice(first := s.start + margin - outer.start, first + s.stop - s.start)
            for margin, s, outer in zip(self.margins, place.box, around, strict=True)
        ]
        cut: Values = values[tuple(inner)]
        return cut

    def _cast(self, found: Any) -> Any:
        values = np.asanyarray(found)
        if isinstance(values, np.ma.MaskedArray) and not self.masked:
            raise TypeError("a function of blocks in which no value is missing gave a masked array")
        if not np.can_cast(values.dtype, self.dtype, "same_kind"):
            raise TypeError(
                f"a function of blocks gave {values.dtype} where it was to give {self.dtype}"
            )
        values = values.astype(self.dtype, copy=False)
        return np.ma.asarray(values) if self.masked else values

"""Functions of the caller that are applied to blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from biggus.expressions.apply import Slot
from biggus.expressions.names import call_of, text_of
from biggus.graph import BaseStep, BlockPlace
from biggus.sources.base import Values


@dataclass(eq=False)
class OfBlocks(BaseStep):
    """A function of the caller that is applied to blocks.

    Parameters
    ----------
    function : callable
    arguments : sequence
        Its arguments: constants, and a `Slot` for each block.
    keywords : mapping
        Its keyword arguments.
    dtype : dtype
        The dtype of the result, to which results of the same kind are cast.
    masked : bool
        Whether values of the result can be missing.
    numbered : bool
        Whether the function takes the number of the block, as `block_id`.
    margins : tuple of int, optional
        Given if blocks of the only operand have margins, which are cut off the result: how far
        that operand begins before the result along each axis.
    """

    function: Callable[..., Any]
    arguments: Sequence[Any]
    keywords: Mapping[str, Any]
    dtype: np.dtype[Any]
    masked: bool = False
    numbered: bool = False
    margins: tuple[int, ...] | None = None

    @property
    def key(self) -> str | None:
        """A text that equal steps share; None if there is none."""
        texts = [f"#{one}" if type(one) is Slot else text_of(one) for one in self.arguments]
        call = call_of(self.function, texts, self.keywords)
        return call and f"{call} of blocks {self.dtype!r} {self.numbered} {self.margins}"

    def __call__(self, place: BlockPlace, *blocks: Values) -> Values:
        """Return the result at a place."""
        arguments = [blocks[one] if type(one) is Slot else one for one in self.arguments]
        more = {"block_id": place.number} if self.numbered else {}
        values: Values = self._cast(self.function(*arguments, **self.keywords, **more))
        if self.margins is None:
            return values
        [around] = place.operands
        if values.shape != blocks[0].shape:
            raise ValueError(
                f"a function of blocks with margins returned shape {values.shape} for "
                f"{blocks[0].shape}: it has to keep the shape"
            )
        inner = [
            slice(first := s.start + margin - outer.start, first + s.stop - s.start)
            for margin, s, outer in zip(self.margins, place.box, around, strict=True)
        ]
        cut: Values = values[tuple(inner)]
        return cut

    def _cast(self, result: Any) -> Any:
        values = np.asanyarray(result)
        if isinstance(values, np.ma.MaskedArray) and not self.masked:
            raise TypeError("a function of blocks without missing values returned a masked array")
        if not np.can_cast(values.dtype, self.dtype, "same_kind"):
            raise TypeError(
                f"a function of blocks returned dtype {values.dtype} instead of {self.dtype}"
            )
        values = values.astype(self.dtype, copy=False)
        return np.ma.asarray(values) if self.masked else values

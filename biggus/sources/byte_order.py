"""Comparing dtypes regardless of byte order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def same_but_for_order(one: np.dtype[Any], other: np.dtype[Any]) -> bool:
    """Return whether two dtypes are equal but for their byte order.

    Examples
    --------
    >>> import numpy as np
    >>> same_but_for_order(np.dtype("<i4,>f8"), np.dtype(">i4,>f8"))
    True
    """
    return one.newbyteorder("<") == other.newbyteorder("<")

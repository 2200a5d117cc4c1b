"""The order of the bytes of a value: no two dtypes are different that differ in it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def same_but_for_order(one: np.dtype[Any], other: np.dtype[Any]) -> bool:
    """Tell whether dtypes have the same values, though in another order of bytes.

    Examples
    --------
    >>> import numpy as np
    >>> same_but_for_order(np.dtype("<i4,>f8"), np.dtype(">i4,>f8"))
    True
    """
    return one.newbyteorder("<") == other.newbyteorder("<")

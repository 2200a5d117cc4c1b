"""Byte orders of dtypes."""

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
    return native_order(one) == native_order(other)


def native_order(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a dtype in the native byte order.

    NumPy refuses this for strings of variable length, which have no byte order.

    Examples
    --------
    >>> import numpy as np
    >>> native_order(np.dtype(">i4")) == np.dtype("i4")
    True
    """
    return dtype if dtype.kind == "T" else dtype.newbyteorder("=")

"""Values that may be indexed by arrays: NumPy before 2.2 damages those of `StringDType`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_DAMAGES = np.lib.NumpyVersion(np.__version__) < "2.2.0"


def indexable(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return values that NumPy can index by arrays of integers, or as they are assigned.

    Examples
    --------
    >>> import numpy as np
    >>> texts = np.array(["a", "b"], np.dtypes.StringDType())
    >>> indexable(texts)[[1, 0]].tolist()
    ['b', 'a']
    """
    return values.astype(object) if _DAMAGES and values.dtype.kind == "T" else values

"""Functions inside xarray that are lazy for arrays of dask alone, extended to those of biggus.

Neither has a public name, and xarray asks no chunk manager where it calls them.  In a release of
xarray without such a function, nothing is extended; what the function is needed for is then not
lazy, or an error, as its tests would show.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from xarray.core import nputils, variable

from biggus.array import Array
from biggus.xarray.fitting import least_squares

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


def _extend(module: ModuleType, name: str, extended: Callable[..., Any]) -> None:
    """Replace a function of xarray; the new one is also given the old one, for other arrays."""
    original = getattr(module, name, None)
    if original is not None:
        setattr(module, name, partial(extended, original))


def _is_lazy_scalar(is_dask_scalar: Callable[[Any], bool], key: Any) -> bool:
    """Tell whether a key is a lazy array without axes, which selects one element."""
    return (isinstance(key, Array) and key.ndim == 0) or is_dask_scalar(key)


# `idxmax` and `idxmin` of one line index a coordinate with a lazy position.  xarray drops the
# dimension of such a key only if the key is an integer, or a collection of dask without axes.  It
# looks at the key alone, before it asks the indexed values.  An array with `__dask_graph__` would
# pass, but dask would take it for its own everywhere.
_extend(variable, "is_0d_dask_array", _is_lazy_scalar)

# If values are missing, `polyfit` calls a dozen of NumPy's functions, each of which would read a
# lazy array again.
_extend(nputils, "least_squares", least_squares)

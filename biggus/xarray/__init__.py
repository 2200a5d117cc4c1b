"""biggus in xarray: an engine that opens datasets of lazy arrays, without dask.

Importing this module adds the accessor ``biggus`` to datasets and data arrays.
"""

from biggus.xarray.accessor import Accessor
from biggus.xarray.engine import Engine
from biggus.xarray.opening import open

__all__ = ["Accessor", "Engine", "open"]

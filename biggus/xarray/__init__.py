"""biggus in xarray: an engine that opens what biggus opens, and keeps it lazy without dask.

Importing it gives datasets and data arrays the accessor ``biggus``.
"""

from biggus.xarray.accessor import Accessor
from biggus.xarray.engine import Engine
from biggus.xarray.opening import open

__all__ = ["Accessor", "Engine", "open"]
